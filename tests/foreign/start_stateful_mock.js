// Starts stripe-stateful-mock on loopback alone; its own start listens everywhere.
// Usage: node start_stateful_mock.js FOLDER-OF-ITS-PACKAGE PORT
const { createExpressApp } = require(process.argv[2]);
createExpressApp().listen(Number(process.argv[3]), "127.0.0.1");
