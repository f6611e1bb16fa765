use super::*;
use hostler_plugin::{plugin::configure, testing};

fn facts() -> Facts {
    Facts {
        name: "web".to_owned(),
        pid: Some(42),
        uptime_ms: 600_000,
        restarts: 0,
        cpu_percent: Some(150.0),
        memory_bytes: Some(300 << 20),
        open_files: Some(100),
        threads: None,
        ports: vec![8080],
        silent_ms: Some(90_000),
        lines_per_minute: 0,
    }
}

fn judged(config: &str, facts: &Facts) -> (Status, String) {
    let report = judge(&configure::<Process>(config).unwrap().config, facts);
    (report.status, report.message)
}

#[test]
fn without_limits_it_has_to_run() {
    assert_eq!(judged("{}", &facts()), (Status::Healthy, "runs as 42 since 10 min".to_owned()));
    let gone = Facts { pid: None, ..facts() };
    assert_eq!(judged("{}", &gone), (Status::Unhealthy, "web does not run".to_owned()));
}

#[test]
fn limits_are_judged_apart_and_told_together() {
    let degraded = judged(r#"{"memory_mib": {"degraded": 200, "unhealthy": 400}}"#, &facts());
    assert_eq!(degraded, (Status::Degraded, "memory 300 MiB, limit 200".to_owned()));
    let both = judged(r#"{"cpu_percent": {"unhealthy": 100}, "silent_seconds": {"degraded": 60}}"#, &facts());
    assert_eq!(both, (Status::Unhealthy, "CPU 150 %, limit 100; silent for 90 s, limit 60".to_owned()));
    // What the kernel does not tell exceeds nothing.
    assert_eq!(judged(r#"{"threads": {"unhealthy": 1}}"#, &facts()).0, Status::Healthy);
}

#[test]
fn a_port_is_expected() {
    assert_eq!(judged(r#"{"port": 8080}"#, &facts()).0, Status::Healthy);
    let missing = judged(r#"{"port": 9090}"#, &facts());
    assert_eq!(missing, (Status::Unhealthy, "it does not listen on port 9090".to_owned()));
}

#[test]
fn what_never_wrote_is_silent_since_its_start() {
    let never = Facts { silent_ms: None, ..facts() };
    let silent = judged(r#"{"silent_seconds": {"unhealthy": 500}}"#, &never);
    assert_eq!(silent, (Status::Unhealthy, "silent for 600 s, limit 500".to_owned()));
}

#[test]
fn limits_in_the_wrong_order_are_refused() {
    let config = r#"{"threads": {"degraded": 9, "unhealthy": 5}}"#;
    assert!(
        matches!(configure::<Process>(config), Err(Error::InvalidConfig(why)) if why.contains("threads"))
    );
}

#[test]
fn schema_is_current() {
    testing::schema_is_current::<Process>();
}
