//! Dependencies, cycles, groups, and what may be seen across namespaces.

use serde_json::{Value, json};

use super::objects::{condition, has};
use super::rig::Rig;

on_both_servers! {
    a_critical_dependency_takes_its_dependents_down,
    a_cycle_is_told_of_and_decides_nothing,
    a_redundant_group_stands_while_enough_are_up,
    another_namespace_has_to_share,
}

fn on(core: &str, dependencies: &Value) -> Value {
    json!({"components": [{"name": "main", "endpointsOf": core}], "dependencies": dependencies})
}

async fn a_critical_dependency_takes_its_dependents_down(rig: Rig) {
    rig.core_service("web", 1, 1).await;
    rig.core_service("db", 1, 1).await;
    rig.service_with("db", on("db", &json!([]))).await;
    rig.service_with("cart", on("web", &json!([{"name": "db", "service": {"name": "db"}, "critical": true}]))).await;
    rig.service_with("shop", on("web", &json!([{"name": "cart", "service": {"name": "cart"}, "critical": true}])))
        .await;
    rig.service_with("blog", on("web", &json!([{"name": "db", "service": {"name": "db"}}]))).await;
    rig.agreement("gold", "shop", json!({})).await;
    let operator = rig.start("op");
    for service in ["db", "cart", "shop", "blog"] {
        rig.wait_state(service, "Up").await;
    }
    rig.endpoints("db", 0, 1).await;
    rig.wait_condition("ItService", "cart", "Available", "False", "DependencyDown").await;
    let shop = rig.wait_condition("ItService", "shop", "Available", "False", "DependencyDown").await;
    assert!(has(&shop, "DependenciesAvailable", "False", "DependencyDown"), "{shop}");
    let current = rig.wait_current("gold", "Down").await;
    assert_eq!(current["status"]["current"]["component"], "cart");
    let blog = rig.wait_condition("ItService", "blog", "DependenciesAvailable", "False", "DependencyDown").await;
    assert_eq!(blog["status"]["availability"]["state"], "Up", "a dependency that is not critical is only shown");
    rig.endpoints("db", 1, 1).await;
    rig.wait_current("gold", "Up").await;
    rig.wait_condition("ItService", "blog", "DependenciesAvailable", "True", "AllAvailable").await;
    operator.stop().await;
}

/// M-78, fault row 47.
async fn a_cycle_is_told_of_and_decides_nothing(rig: Rig) {
    rig.core_service("a", 1, 1).await;
    rig.core_service("b", 1, 1).await;
    rig.service_with("a", on("a", &json!([{"name": "b", "service": {"name": "b"}, "critical": true}]))).await;
    let operator = rig.start("op");
    rig.wait_condition("ItService", "a", "Ready", "False", "ReferenceNotFound").await;
    rig.service_with("b", on("b", &json!([{"name": "a", "service": {"name": "a"}, "critical": true}]))).await;
    for name in ["a", "b"] {
        let service = rig.wait_condition("ItService", name, "Ready", "False", "DependencyCycle").await;
        assert!(condition(&service, "Ready")["message"].as_str().unwrap().contains('→'), "{service}");
    }
    rig.wait_state("a", "Up").await;
    rig.endpoints("a", 0, 1).await;
    rig.wait_state("a", "Down").await;
    rig.settle("op").await;
    assert_eq!(rig.wait_state("b", "Up").await["status"]["availability"]["state"], "Up");
    // Without one of the edges the other counts again.
    rig.service_with("a", on("a", &json!([]))).await;
    rig.wait_condition("ItService", "a", "Ready", "True", "Active").await;
    rig.wait_condition("ItService", "b", "Ready", "True", "Active").await;
    rig.wait_state("b", "Down").await;
    operator.stop().await;
}

async fn a_redundant_group_stands_while_enough_are_up(rig: Rig) {
    for core in ["east", "west"] {
        rig.core_service(core, 1, 1).await;
    }
    let spec = json!({
        "components": [{"name": "east", "endpointsOf": "east"}, {"name": "west", "endpointsOf": "west"}],
        "redundancy": [{"name": "sites", "members": ["east", "west"], "need": 1}],
    });
    rig.service_with("checkout", spec).await;
    let operator = rig.start("op");
    rig.wait_condition("ItService", "checkout", "Available", "True", "AllCriticalReady").await;
    rig.endpoints("east", 0, 1).await;
    let service = rig.wait_condition("ItService", "checkout", "Available", "True", "RedundancyLost").await;
    assert_eq!(service["status"]["availability"]["state"], "Up");
    rig.endpoints("west", 0, 1).await;
    rig.wait_state("checkout", "Down").await;
    rig.endpoints("east", 1, 1).await;
    rig.wait_state("checkout", "Up").await;
    operator.stop().await;
}

/// Fault rows 51 and 80: without a grant the message says the same as for an object that does not exist.
async fn another_namespace_has_to_share(rig: Rig) {
    let data = format!("{}-data", rig.namespace);
    rig.make_namespace(&data).await;
    let in_data = |mut object: Value| {
        object["metadata"]["namespace"] = data.as_str().into();
        object
    };
    rig.core_service("web", 1, 1).await;
    rig.put(in_data(super::objects::core_service("db"))).await;
    rig.put(in_data(super::objects::slice("db", 1, 1))).await;
    rig.put(in_data(super::objects::it_service("secret", &on("db", &json!([]))))).await;
    let depends = |name: &str| {
        on("web", &json!([{"name": "db", "service": {"name": name, "namespace": data}, "critical": true}]))
    };
    rig.service_with("one", depends("secret")).await;
    rig.service_with("two", depends("absent")).await;
    let operator = rig.start("op");
    let message = async |name: &str| {
        let service = rig.wait_condition("ItService", name, "Ready", "False", "ReferenceNotFound").await;
        assert_eq!(service["status"]["availability"]["state"], "Unknown");
        assert_eq!(service["status"]["dependencies"][0]["state"], "Unknown");
        condition(&service, "Ready")["message"].as_str().unwrap().to_owned()
    };
    assert_eq!(message("one").await, message("two").await.replace("absent", "secret"));
    let mut shared = on("db", &json!([]));
    shared["sharedWith"] = json!([rig.namespace]);
    rig.put(in_data(super::objects::it_service("secret", &shared))).await;
    rig.wait_condition("ItService", "one", "Ready", "True", "Active").await;
    rig.wait_state("one", "Up").await;
    rig.put(in_data(super::objects::slice("db", 0, 1))).await;
    rig.wait_state("one", "Down").await;
    // A grant that is taken back hides it again.
    rig.put(in_data(super::objects::it_service("secret", &on("db", &json!([]))))).await;
    rig.wait_condition("ItService", "one", "Ready", "False", "ReferenceNotFound").await;
    rig.wait_state("one", "Unknown").await;
    operator.stop().await;
}
