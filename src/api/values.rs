//! The value forms that several kinds share, each with the rule and the remedy that the API server prints.
//!
//! The rules are CEL instead of plain patterns, because a pattern's error shows a regular expression and not a remedy.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

// The lengths leave room beyond the longest right text: a text that is too long is refused before the rules are asked,
// and then nothing says how to write it.
macro_rules! text_value {
    ($(#[$doc:meta])* $name:ident, max $max:literal, $( $rule:literal => $message:literal ),+ $(,)?) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The text as written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "maxLength": $max,
                    "x-kubernetes-validations": [ $( {"rule": $rule, "message": $message} ),+ ],
                })
            }
        }
    };
}

text_value!(
    /// A decimal percentage that a target must reach, above 0 and below 100.
    Objective, max 16,
    "self.matches('^[0-9]{1,3}([.][0-9]{1,4})?$')" => "write a plain decimal with a point and at most 4 decimals, such as \"99.95\"",
    "!self.matches('^[0-9]{1,3}([.][0-9]{1,4})?$') || double(self) > 0.0" => "an objective is above 0; try \"99.9\"",
    "!self.matches('^[0-9]{1,3}([.][0-9]{1,4})?$') || double(self) < 100.0" => "100 leaves no error budget; 99.99 allows 4 min 19 s in 30 days",
);

text_value!(
    /// A decimal percentage from 0 to 100.
    Percent, max 16,
    "self.matches('^[0-9]{1,3}([.][0-9]{1,4})?$')" => "write a plain decimal with a point and at most 4 decimals, such as \"75\"",
    "!self.matches('^[0-9]{1,3}([.][0-9]{1,4})?$') || double(self) <= 100.0" => "a percentage is at most 100",
);

text_value!(
    /// A decimal share from 0 to 1.
    Share, max 16,
    "self.matches('^(0([.][0-9]{1,4})?|1([.]0{1,4})?)$')" => "write a decimal from \"0\" to \"1\" with at most 4 decimals, such as \"0.5\"",
);

text_value!(
    /// An exact length of time: units `d h m s ms` in this order, each at most once; a `d` is 24 hours.
    DurationText, max 32,
    "self.matches('^([0-9]{1,9}d)?([0-9]{1,9}h)?([0-9]{1,9}m)?([0-9]{1,9}s)?([0-9]{1,9}ms)?$') && self.size() > 0" => "write a duration such as 30s, 1h30m or 5d: units d h m s ms, in this order, each at most once",
);

text_value!(
    /// An address to try, without user and fragment.
    ProbeUrl, max 1024,
    "self.matches(r'^(https?://([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\\[[0-9A-Fa-f:.]+\\])(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?([/?][!-\"$-~]*)?|tcp://([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\\[[0-9A-Fa-f:.]+\\]):([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))$')" => "write https://host/path, http://host/path or tcp://host:port, the port from 1 to 65535, without user, blanks and #",
);

text_value!(
    /// A calendar span of ISO 8601 with years, months or days.
    CalendarSpanText, max 32,
    "self.matches('^P([0-9]{1,4}Y)?([0-9]{1,4}M)?([0-9]{1,4}D)?$')" => "write a calendar span of years, months or days, such as P6M, P1Y or P90D",
    "self.matches('[1-9]')" => "a span has at least one day; write one such as P6M",
);

text_value!(
    /// A local calendar date.
    DateText, max 32,
    "self.matches('^[0-9]{4}-[0-9]{2}-[0-9]{2}$')" => "write a quoted date such as \"2026-12-25\"",
);

text_value!(
    /// A local calendar date, or an instant with its offset.
    DateOrInstant, max 40,
    "self.matches('^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2}))?$')" => "write a quoted date such as \"2026-01-01\", or an instant with its offset such as \"2026-01-01T00:00:00Z\"",
);

text_value!(
    /// A local time of a date, without offset; read in the calendar's zone.
    LocalTime, max 32,
    "self.matches('^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}$')" => "write a quoted local time without offset, such as \"2026-11-01T02:00\"",
);

text_value!(
    /// A time of day from 00:00 to 24:00.
    TimeOfDay, max 16,
    "self.matches('^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$')" => "write a quoted time of day from \"00:00\" to \"24:00\"",
);

text_value!(
    /// The name of a time zone in the IANA database.
    TimeZoneName, max 64,
    "self.matches('^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$')" => "write an IANA time zone such as Europe/Berlin or UTC",
);

text_value!(
    /// A recurrence rule, a subset of RFC 5545.
    RecurrenceRule, max 256,
    "self.matches('^FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY)(;[A-Z]+=[^;]+)*$')" => "write an RFC 5545 rule that begins with FREQ=DAILY, WEEKLY, MONTHLY or YEARLY, such as FREQ=WEEKLY;BYDAY=SU",
);

text_value!(
    /// An `https` address.
    HttpsUrl, max 2048,
    "self.startsWith('https://')" => "write an address that begins with https://",
);

text_value!(
    /// The name of an object of Kubernetes.
    ObjectName, max 253,
    "self.matches('^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$')" => "write the name of an object: lower case letters, digits, - and .",
);

text_value!(
    /// A short name inside an object: of a component, a target or a window.
    PartName, max 63,
    "self.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?$')" => "write a name of lower case letters, digits and -, such as api",
);

/// A number of ready replicas, or a percentage of the wanted ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReadyThreshold(pub IntOrString);

impl ReadyThreshold {
    /// Whether it is a percentage of the wanted replicas.
    pub fn is_percentage(&self) -> bool {
        matches!(self.0, IntOrString::String(_))
    }
}

impl JsonSchema for ReadyThreshold {
    fn schema_name() -> Cow<'static, str> {
        "ReadyThreshold".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-kubernetes-int-or-string": true,
            // Without a length the API server estimates the rule's cost by its largest request, and refuses the kind.
            "maxLength": 8,
            "x-kubernetes-validations": [{
                "rule": "type(self) == int ? (self >= 1 && self <= 1000000) : self.matches('^([1-9][0-9]?|100)%$')",
                "message": "write a number of replicas from 1 on, or a percentage from \"1%\" to \"100%\"",
            }],
        })
    }
}

/// A reference to an object of the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct LocalReference {
    /// Name of the object.
    pub name: ObjectName,
}

/// A reference to an object that may live in another namespace, if that side shares it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct SharedReference {
    /// Name of the object.
    pub name: ObjectName,
    /// Its namespace; the own one if absent. Another one needs `sharedWith` on the Service there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<ObjectName>,
}
