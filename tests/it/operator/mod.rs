//! The running operator: the same scenarios on the fake API server and on the real one.
//!
//! A scenario takes a [`rig::Rig`], which is a namespace on one of the servers. Scenarios that inject faults run on the
//! fake server alone.

/// Runs scenarios on both servers.
macro_rules! on_both_servers {
    ($($name:ident,)*) => {
        mod on_the_fake_server {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::operator::rig::Rig::fake().await).await;
            })*
        }
        mod on_the_real_server {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::operator::rig::Rig::real().await).await;
            })*
        }
    };
}

mod chain;
mod clocks;
mod components;
mod corrections;
mod dependencies;
mod evidence;
mod flapping;
mod immutability;
mod leaders;
mod maintenance;
mod metrics;
mod nodes;
mod objects;
mod periods;
mod references;
mod restarts;
mod rig;
mod rights;
mod silence;
mod states;
mod sweep;
mod terms;
mod versions;
mod watches;
mod writes;
