//! Behaviours that the real API server and the fake one share.
