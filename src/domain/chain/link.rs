//! The factors of a chain's product, and how they are written.

use std::sync::Arc;

use crate::domain::decimal::Decimal;
use crate::domain::probability::Probability;

/// An agreement and the number it promises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Promise {
    pub(super) name: Arc<str>,
    pub(super) objective: Decimal,
}

impl Promise {
    pub(super) fn text(&self) -> String {
        format!("{} {}", self.name, self.objective)
    }
}

/// A factor of the product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// One agreement.
    One(Promise),
    /// Agreements of which only some have to be kept.
    Group { need: usize, members: Vec<Promise> },
}

impl Link {
    pub(super) fn value(&self) -> Probability {
        match self {
            Self::One(promise) => Probability::of_percent(promise.objective),
            Self::Group { need, members } => {
                let members: Vec<Probability> =
                    members.iter().map(|member| Probability::of_percent(member.objective)).collect();
                Probability::at_least(*need, &members)
            }
        }
    }

    /// The name that ties are ordered by.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::One(promise) => &promise.name,
            Self::Group { members, .. } => members.first().map_or("", |member| &member.name),
        }
    }

    /// How it stands in a product.
    pub(super) fn factor(&self) -> String {
        match self {
            Self::One(promise) => promise.text(),
            Self::Group { need, members } => {
                let members: Vec<String> = members.iter().map(Promise::text).collect();
                format!("{need} of ({})", members.join(", "))
            }
        }
    }

    /// How it is compared with the own objective.
    pub(super) fn text(&self) -> String {
        match self {
            Self::One(promise) => promise.text(),
            Self::Group { .. } => format!("{} {}", self.factor(), self.value().percent()),
        }
    }
}
