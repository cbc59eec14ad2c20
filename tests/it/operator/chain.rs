//! Agreements that rest on others: what the chain gives, and who is planned anew when a link of it changes.

use serde_json::{Value, json};

use super::objects::{condition, has};
use super::rig::Rig;

on_both_servers! {
    m_89_serial_agreements,
    m_90_redundant_agreements,
    a_chain_follows_what_it_rests_on,
    agreements_of_another_namespace_have_to_be_shared,
    agreements_that_rest_on_each_other,
}

fn objective(objective: &str) -> Value {
    json!([{"name": "availability", "kind": "Availability", "method": "Readiness", "objective": objective}])
}

impl Rig {
    /// An agreement about `checkout` with this objective.
    async fn promise(&self, name: &str, percent: &str, fields: Value) {
        let mut spec = json!({"targets": objective(percent)});
        for (field, value) in fields.as_object().unwrap() {
            spec[field] = value.clone();
        }
        self.agreement(name, "checkout", spec).await;
    }

    /// Waits for what the chain of an agreement gives.
    async fn wait_chain(&self, name: &str, status: &str, reason: &str, message: &str) -> Value {
        let what = format!("TargetsSupported={status} {reason}: {message}");
        self.wait("Agreement", name, &what, |object| {
            has(object, "TargetsSupported", status, reason)
                && condition(object, "TargetsSupported")["message"] == message
        })
        .await
    }
}

async fn m_89_serial_agreements(rig: Rig) {
    rig.core_service("api", 1, 1).await;
    rig.service("checkout").await;
    for (name, percent) in [("postgres-ola", "99.99"), ("payment-gw-uc", "99.5"), ("dns-ola", "99.95")] {
        rig.promise(name, percent, json!({})).await;
    }
    let on = |one: &str, other: &str| json!({"underpinnedBy": [{"name": one}, {"name": other}]});
    rig.promise("checkout-gold", "99.95", on("postgres-ola", "payment-gw-uc")).await;
    let operator = rig.start("op");
    let weak = "payment-gw-uc 99.5 < checkout-gold 99.95; 99.4900 = postgres-ola 99.99 × payment-gw-uc 99.5";
    let agreement = rig.wait_chain("checkout-gold", "False", "WeakestLink", weak).await;
    assert_eq!(agreement["status"]["weakestLink"], "payment-gw-uc 99.5");
    assert!(has(&agreement, "Ready", "True", "Active"), "{agreement}");
    rig.wait_chain("dns-ola", "True", "Supported", "it rests on no other agreement").await;
    rig.promise("postgres-ola", "99.95", json!({})).await;
    rig.promise("checkout-gold", "99.95", on("postgres-ola", "dns-ola")).await;
    let product = "99.9000 = postgres-ola 99.95 × dns-ola 99.95 < checkout-gold 99.95";
    rig.wait_chain("checkout-gold", "False", "ChainProduct", product).await;
    rig.promise("postgres-ola", "99.99", json!({})).await;
    rig.promise("dns-ola", "99.97", json!({})).await;
    rig.wait_chain("checkout-gold", "True", "Supported", "99.9600 >= 99.95").await;
    operator.stop().await;
}

async fn m_90_redundant_agreements(rig: Rig) {
    rig.core_service("api", 1, 1).await;
    let rules = |need: usize, members: &[&str]| {
        let dependency =
            |name: &&str| json!({"name": name, "external": name, "agreement": {"name": format!("{name}-ola")}});
        json!({
            "components": [{"name": "api", "endpointsOf": "api"}],
            "dependencies": members.iter().map(dependency).collect::<Vec<_>>(),
            "redundancy": [{"name": "sites", "members": members, "need": need}],
        })
    };
    rig.service_with("checkout", rules(1, &["b", "c"])).await;
    for (name, percent) in [("a-ola", "99.9"), ("b-ola", "99.5"), ("c-ola", "99"), ("dns-ola", "99.95")] {
        rig.promise(name, percent, json!({})).await;
    }
    rig.promise("gold", "99.999", json!({})).await;
    let operator = rig.start("op");
    let weak = "1 of (b-ola 99.5, c-ola 99) 99.9950 < gold 99.999";
    rig.wait_chain("gold", "False", "WeakestLink", weak).await;
    rig.service_with("checkout", rules(2, &["a", "b", "c"])).await;
    let weak = "2 of (a-ola 99.9, b-ola 99.5, c-ola 99) 99.9935 < gold 99.999";
    rig.wait_chain("gold", "False", "WeakestLink", weak).await;
    rig.promise("gold", "99.95", json!({"underpinnedBy": [{"name": "dns-ola"}]})).await;
    let product = "99.9435 = 2 of (a-ola 99.9, b-ola 99.5, c-ola 99) × dns-ola 99.95 < gold 99.95";
    rig.wait_chain("gold", "False", "ChainProduct", product).await;
    rig.promise("gold", "99.9", json!({"underpinnedBy": [{"name": "dns-ola"}]})).await;
    rig.wait_chain("gold", "True", "Supported", "99.9435 >= 99.9").await;
    operator.stop().await;
}

/// Fault row: what an agreement rests on appears, expires early, loses its hours, goes.
async fn a_chain_follows_what_it_rests_on(rig: Rig) {
    rig.core_service("api", 1, 1).await;
    let components = json!([{"name": "api", "endpointsOf": "api"}]);
    let needs = |dependency: Value| json!({"components": components, "dependencies": [dependency]});
    let bank = json!({"name": "bank", "external": "the bank", "critical": true});
    rig.service_with("checkout", needs(bank.clone())).await;
    rig.promise("gold", "99", json!({"term": {"expires": "2099-12-31"}})).await;
    let operator = rig.start("op");
    rig.wait_chain("gold", "Unknown", "NoObjective", "dependency bank has no agreement").await;
    let mut promised = bank.clone();
    promised["agreement"] = json!({"name": "bank-uc"});
    rig.service_with("checkout", needs(promised)).await;
    let missing = format!("dependency bank: {}/bank-uc was not found", rig.namespace);
    rig.wait_chain("gold", "Unknown", "NoObjective", &missing).await;
    let service = rig.wait_condition("ItService", "checkout", "Ready", "False", "ReferenceNotFound").await;
    assert!(condition(&service, "Ready")["message"].as_str().unwrap().contains("bank-uc"), "{service}");
    rig.promise("bank-uc", "99.5", json!({})).await;
    rig.wait_chain("gold", "True", "Supported", "99.5000 >= 99").await;
    rig.wait_condition("ItService", "checkout", "Ready", "True", "Active").await;
    rig.promise("bank-uc", "99.5", json!({"term": {"expires": "2099-06-30"}})).await;
    let early = "bank-uc ends at 2099-07-01T00:00:00+00:00, before gold, which ends at 2100-01-01T00:00:00+00:00";
    rig.wait_chain("gold", "False", "ExpiresBefore", early).await;
    let calendar = format!("{}-never", rig.namespace);
    rig.put(json!({
        "apiVersion": "assize.dev/v1alpha1", "kind": "ServiceCalendar", "metadata": {"name": calendar},
        "spec": {"timeZone": "UTC", "weekly": [{"days": ["Mon"], "from": "00:00", "to": "00:01"}]},
    }))
    .await;
    rig.promise("bank-uc", "99.5", json!({"serviceHours": {"calendar": calendar}, "term": {"expires": "2100-01-01"}}))
        .await;
    rig.wait_condition("Agreement", "gold", "TargetsSupported", "False", "HoursNotCovered").await;
    rig.delete("Agreement", "bank-uc").await;
    rig.wait_chain("gold", "Unknown", "NoObjective", &missing).await;
    operator.stop().await;
}

async fn agreements_of_another_namespace_have_to_be_shared(rig: Rig) {
    let data = format!("{}-data", rig.namespace);
    rig.make_namespace(&data).await;
    let in_data = |mut object: Value| {
        object["metadata"]["namespace"] = data.as_str().into();
        object
    };
    let database = |shared: &Value| {
        let spec = json!({"components": [{"name": "db", "endpointsOf": "db"}], "sharedWith": shared});
        in_data(super::objects::it_service("db", &spec))
    };
    rig.core_service("api", 1, 1).await;
    rig.service("checkout").await;
    rig.put(database(&json!([]))).await;
    rig.put(in_data(super::objects::agreement("secret", "db", json!({"targets": objective("99.99")})))).await;
    let on = |name: &str| json!({"underpinnedBy": [{"name": name, "namespace": data}]});
    rig.promise("one", "99.9", on("secret")).await;
    rig.promise("two", "99.9", on("absent")).await;
    let operator = rig.start("op");
    let told = async |name: &str| {
        let agreement = rig.wait_condition("Agreement", name, "Ready", "False", "ReferenceNotFound").await;
        assert!(has(&agreement, "TargetsSupported", "Unknown", "NoObjective"), "{agreement}");
        assert_eq!(agreement["status"]["weakestLink"], Value::Null);
        ["Ready", "TargetsSupported"].map(|kind| condition(&agreement, kind)["message"].as_str().unwrap().to_owned())
    };
    assert_eq!(told("one").await, told("two").await.map(|text| text.replace("absent", "secret")));
    rig.put(database(&json!([rig.namespace]))).await;
    rig.wait_chain("one", "True", "Supported", "99.9900 >= 99.9").await;
    rig.wait_condition("Agreement", "one", "Ready", "True", "Active").await;
    rig.put(database(&json!([]))).await;
    rig.wait_condition("Agreement", "one", "Ready", "False", "ReferenceNotFound").await;
    operator.stop().await;
}

async fn agreements_that_rest_on_each_other(rig: Rig) {
    rig.core_service("api", 1, 1).await;
    rig.service("checkout").await;
    let on = |name: &str| json!({"underpinnedBy": [{"name": name}]});
    rig.promise("a", "99", on("b")).await;
    rig.promise("b", "99", on("c")).await;
    rig.promise("c", "99", on("a")).await;
    let operator = rig.start("op");
    for (name, cycle) in [("a", "a → b → c → a"), ("b", "b → c → a → b"), ("c", "c → a → b → c")] {
        rig.wait_chain(name, "Unknown", "DependencyCycle", cycle).await;
    }
    // Without one edge there is no cycle, for any of them.
    rig.promise("c", "99", json!({})).await;
    rig.wait_chain("c", "True", "Supported", "it rests on no other agreement").await;
    rig.wait_chain("b", "True", "Supported", "99.0000 >= 99").await;
    rig.wait_chain("a", "True", "Supported", "99.0000 >= 99").await;
    rig.settle("op").await;
    operator.stop().await;
}

/// A review that is overdue from the beginning, and one that a new version settles.
#[tokio::test]
async fn a_review_is_due_and_a_new_version_is_one() {
    let rig = Rig::fake().await;
    rig.core_service("api", 1, 1).await;
    rig.service("checkout").await;
    rig.promise("gold", "99", json!({})).await;
    let operator = rig.start("op");
    rig.wait_condition("Agreement", "gold", "ReviewCurrent", "True", "NoReviewAgreed").await;
    rig.promise("gold", "99", json!({"term": {"effectiveFrom": "2020-01-01", "reviewEvery": "P6M"}})).await;
    let agreement = rig.wait_condition("Agreement", "gold", "ReviewCurrent", "True", "InTime").await;
    let due = condition(&agreement, "ReviewCurrent")["message"].as_str().unwrap().to_owned();
    assert!(due.starts_with("the next review is due by 20"), "{due}");
    operator.stop().await;
}
