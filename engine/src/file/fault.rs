//! A fault as it was written: where it strikes, and a field for each kind of the vocabulary, of which one is given.

use faults::time::Time;
use faults::{Kind, Share, When};
use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

macro_rules! entry {
    ($($(#[doc = $doc:literal])+ $module:ident: $name:ident($settings:ty),)+) => {
        /// One fault.
        #[derive(Debug, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        pub struct FaultEntry {
            /// Its name in reports; made of place and kind unless it is given.
            pub name: Option<String>,
            /// The function that is struck; either this or `service`.
            #[schemars(with = "Option<String>")]
            pub function: Option<Spanned<String>>,
            /// The cloud service that is struck.
            #[schemars(with = "Option<String>")]
            pub service: Option<Spanned<String>>,
            /// One operation of the service; all unless it is given.
            #[schemars(with = "Option<String>")]
            pub operation: Option<Spanned<String>>,
            /// The share of the eligible invocations that is struck; the rest are the control arm. 1 unless it is given.
            #[serde(default = "all")]
            pub share: Share,
            /// Which invocations are eligible.
            #[serde(default)]
            pub when: When,
            /// How often it strikes at most in each environment; as often as the rolls say unless it is given.
            pub at_most: Option<u64>,
            /// What the roll of a call to a `service` depends on; `each-call` unless it is given.
            pub roll: Option<ServiceRoll>,
            /// When it begins, from the start of the fault phase; at once unless it is given.
            pub from: Option<Time>,
            /// When it ends, from the start of the fault phase; with the phase unless it is given.
            pub until: Option<Time>,
            $($(#[doc = $doc])+ pub $module: Option<$settings>,)+
        }

        impl FaultEntry {
            /// The kinds that it names.
            pub fn kinds(&self) -> Vec<Kind> {
                let mut kinds = Vec::new();
                $(kinds.extend(self.$module.iter().cloned().map(Kind::$name));)+
                kinds
            }
        }
    };
}

faults::kinds!(entry);

const fn all() -> Share {
    Share::ALL
}

/// What the roll of a call to a service depends on, beside the seed and the fault's name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceRoll {
    /// The request and the number of the call among the calls of this request that the fault is about: each try is rolled anew, and a retry can
    /// win. Of calls that a request makes at the same time, the order of their arrival counts.
    #[default]
    EachCall,
    /// The request alone: all its calls are struck, or none; a retry within the request never wins.
    SameRequest,
}
