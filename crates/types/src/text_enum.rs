//! What every generated enum has.

/// Gives an enum with the arms named and `Unknown(String)` its text, serde, and what the features ask for.
macro_rules! text_enum {
    ($name:ident, $($arm:ident = $text:literal),+ $(,)?) => {
        impl $name {
            /// Every value that the contract lists, in its order.
            pub const ALL: &'static [Self] = &[$(Self::$arm),+];

            /// The value as it stands on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$arm => $text,)+
                    Self::Unknown(text) => text,
                }
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                match text {
                    $($text => Self::$arm,)+
                    _ => Self::Unknown(text.to_owned()),
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::convert::Infallible;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Ok(Self::from(text))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                Ok(Self::from(&*text))
            }
        }

        #[cfg(feature = "garde")]
        impl garde::Validate for $name {
            type Context = ();

            fn validate_into(
                &self,
                (): &(),
                parent: &mut dyn FnMut() -> garde::Path,
                report: &mut garde::Report,
            ) {
                if let Self::Unknown(_) = self {
                    let known = Self::ALL.iter().map(Self::as_str);
                    report.append(parent(), $crate::rules::unknown_value(known));
                }
            }
        }

        #[cfg(feature = "utoipa")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                $crate::witness::text_enum(Self::ALL.iter().map(Self::as_str))
            }
        }

        #[cfg(feature = "utoipa")]
        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
        }
    };
}

/// Gives a type its schema of the contract, which stands under its name in the module's `SCHEMAS`.
macro_rules! json_schema {
    ($name:ident $(, $refers:ident)* $(,)?) => {
        #[cfg(feature = "schemars")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn schema_id() -> std::borrow::Cow<'static, str> {
                concat!(module_path!(), "::", stringify!($name)).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let refers = [$((stringify!($refers), $crate::schema::reference::<$refers> as $crate::schema::Reference)),*];
                $crate::schema::component(super::SCHEMAS, stringify!($name), generator, &refers)
            }
        }
    };
}

pub(crate) use {json_schema, text_enum};
