// Shows the document that the address names: ?api=v1, v2 or ops.
const apis = ["v1", "v2", "ops"];
const asked = new URLSearchParams(location.search).get("api");
const api = apis.includes(asked) ? asked : apis[0];
document.querySelector(`nav a[href="?api=${api}"]`).setAttribute("aria-current", "page");
const fonts = { fontFamily: "system-ui, sans-serif", headings: { fontFamily: "system-ui, sans-serif" } };
const options = { theme: { typography: fonts }, sortRequiredPropsFirst: true, jsonSampleExpandLevel: 3 };
Redoc.init(`${api}.yaml`, options, document.getElementById("reference"));
