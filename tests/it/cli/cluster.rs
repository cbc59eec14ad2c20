//! The commands that read the cluster, against a server that answers lists.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;

use serde_json::{Value, json};

use super::{assize, assize_with_input, folder};

/// Serves lists by path and query; returns the path of a kubeconfig with two contexts that leads to it.
fn serve(name: &str, answers: impl Fn(&str) -> (u16, Value) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let request = lines.next().unwrap().unwrap();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let (code, body) = answers(request.split(' ').nth(1).unwrap());
            let body = body.to_string();
            let head = format!(
                "HTTP/1.1 {code} X\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all((head + &body).as_bytes());
        }
    });
    let path = folder(name).join("kubeconfig");
    std::fs::write(
        &path,
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "one",
            "clusters": [{"name": "c", "cluster": {"server": format!("http://{address}")}}],
            "users": [{"name": "u", "user": {}}],
            "contexts": [
                {"name": "one", "context": {"cluster": "c", "user": "u", "namespace": "shop"}},
                {"name": "two", "context": {"cluster": "c", "user": "u"}},
            ],
        })
        .to_string(),
    )
    .unwrap();
    path.to_str().unwrap().to_owned()
}

fn list(items: &Value) -> (u16, Value) {
    (200, json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items}))
}

fn workload(name: &str, replicas: u32, part_of: Option<&str>) -> Value {
    let labels = part_of.map(|application| json!({"app.kubernetes.io/part-of": application}));
    json!({
        "metadata": {"name": name, "namespace": "shop", "labels": labels},
        "spec": {
            "replicas": replicas, "serviceName": name, "selector": {},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": []}},
        },
    })
}

fn live(path: &str) -> (u16, Value) {
    let page = path.split(['?', '&']).any(|part| part == "continue=more");
    match path.split('?').next().unwrap().rsplit('/').next().unwrap() {
        "deployments" if page => list(&json!([workload("worker", 1, Some("checkout"))])),
        "deployments" => {
            let items = json!([workload("api", 3, Some("checkout"))]);
            (200, json!({"apiVersion": "v1", "kind": "List", "metadata": {"continue": "more"}, "items": items}))
        }
        "statefulsets" => list(&json!([workload("db", 1, None)])),
        "services" => list(&json!([
            {"metadata": {"name": "api", "namespace": "shop"}, "spec": {"selector": {"app": "api"}, "clusterIP": "10.0.0.1"}},
            {"metadata": {"name": "db", "namespace": "shop"}, "spec": {"selector": {"app": "db"}, "clusterIP": "None"}},
        ])),
        _ => list(&json!([])),
    }
}

#[test]
fn adopt_drafts_what_check_accepts() {
    let kubeconfig = serve("adopt", live);
    let ran = assize(&["adopt", "--kubeconfig", &kubeconfig]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    super::assert_golden("adopt.yaml", &ran.out);
    let checked = assize_with_input(&["check", "-f", "-"], &ran.out);
    assert_eq!(checked.code, 0, "{}", checked.out);
    assert!(checked.out.ends_with("1 file, 3 objects: 0 errors, 3 warnings\n"), "{}", checked.out);
    let grouped = assize(&["adopt", "--kubeconfig", &kubeconfig, "--group-by", "part-of"]);
    assert_eq!(grouped.out.matches("kind: Service\n").count(), 2);
    let one = assize(&["adopt", "--kubeconfig", &kubeconfig, "sts/db"]);
    assert_eq!(one.out.matches("workloadRef").count(), 1);
    let none = assize(&["adopt", "--kubeconfig", &kubeconfig, "deploy/db"]);
    assert_eq!(
        (none.code, none.err.as_str()),
        (1, "error: no Deployment is named \"db\" there; check the name, -n and -l\n")
    );
    let wrong = assize(&["adopt", "--kubeconfig", &kubeconfig, "pods/db"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("write deployments/NAME, statefulsets/NAME or daemonsets/NAME"), "{}", wrong.err);
}

#[test]
fn report_reads_the_namespaces_of_the_flags() {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reports/reports.yaml"));
    let reports: Value = serde_saphyr::from_str(&text.unwrap()).unwrap();
    let kubeconfig = serve("report", move |path| match path.split('?').next().unwrap() {
        "/apis/assize.dev/v1alpha1/namespaces/shop/servicereports" | "/apis/assize.dev/v1alpha1/servicereports" => {
            list(&reports["items"])
        }
        "/apis/assize.dev/v1alpha1/namespaces/shop/servicelevelagreements" => list(&json!([{
            "apiVersion": "assize.dev/v1alpha1", "kind": "ServiceLevelAgreement",
            "metadata": {"name": "billing-silver", "namespace": "shop"},
            "spec": {"serviceRef": {"name": "billing"}, "customer": {"name": "Acme"}, "targets": []},
        }])),
        "/apis/assize.dev/v1alpha1/namespaces/secret/servicereports" => (
            403,
            json!({"kind": "Status", "code": 403, "reason": "Forbidden", "message": "servicereports is forbidden"}),
        ),
        _ => list(&json!([])),
    });
    let run = |arguments: &[&str]| assize(&[&["report", "--kubeconfig", &kubeconfig], arguments].concat());
    assert_eq!(run(&[]).out.lines().count(), 3);
    assert_eq!(run(&["-A"]).out.lines().count(), 3);
    assert_eq!(run(&["--context", "two"]).err, "No reports found.\n");
    assert!(run(&["-o", "markdown"]).out.contains("| Customer | Acme |"));
    let refused = run(&["-n", "secret"]);
    assert_eq!(refused.code, 2);
    assert_eq!(refused.err, "error: failed to read ServiceReports in namespace secret: servicereports is forbidden\n");
    assert_eq!(run(&["-A", "-n", "shop"]).code, 2);
    assert!(run(&["--context", "three"]).err.contains("three"));
}

#[test]
fn verify_reads_reports_as_they_are_stored() {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reports/closed.yaml"));
    let objects: Value = serde_saphyr::from_str(&text.unwrap()).unwrap();
    let of_kind = move |kind: &str, extra: bool| {
        let mut items: Vec<Value> =
            objects["items"].as_array().unwrap().iter().filter(|item| item["kind"] == kind).cloned().collect();
        if extra {
            items[0]["status"]["unheardOf"] = true.into();
        }
        list(&json!(items))
    };
    let kubeconfig = serve("verify", move |path| match path.split('?').next().unwrap() {
        "/apis/assize.dev/v1alpha1/namespaces/shop/servicereports" => of_kind("ServiceReport", false),
        "/apis/assize.dev/v1alpha1/servicereports" => of_kind("ServiceReport", true),
        "/apis/assize.dev/v1alpha1/servicecalendars" => of_kind("ServiceCalendar", false),
        _ => list(&json!([])),
    });
    let run = |arguments: &[&str]| assize(&[&["verify", "--kubeconfig", &kubeconfig], arguments].concat());
    let ran = run(&[]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(ran.out, assize(&["verify", "-f", "reports/closed.yaml"]).out);
    let ran = run(&["-A"]);
    assert!(ran.code == 1 && ran.out.contains("checkout-gold-2026-05: status.digest"), "{}", ran.out);
}

#[test]
fn without_a_cluster_the_remedy_is_named() {
    let ran = assize(&["report"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.starts_with("error: no cluster is configured; give --kubeconfig"), "{}", ran.err);
    let ran = assize(&["adopt", "--kubeconfig", "/nonexistent"]);
    assert!(ran.err.starts_with("error: failed to read /nonexistent"), "{}", ran.err);
}
