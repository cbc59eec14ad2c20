//! A real and a fake Kubernetes control plane for the tests, benches and the demo of Assize.
pub mod conformance;
pub mod controlplane;
pub mod fake;
pub mod load;
pub mod reference;
