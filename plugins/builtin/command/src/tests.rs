use super::*;
use hostler_plugin::{plugin::configure, testing};

fn output(code: impl Into<Option<i32>>, stdout: &str, stderr: &str) -> Output {
    Output { code: code.into(), stdout: stdout.into(), stderr: stderr.into() }
}

fn status(codes: Codes, output: &Output) -> Option<(Status, String)> {
    judge("check", codes, output).ok().map(|report| (report.status, report.message))
}

#[test]
fn understands_exit_codes() {
    let nagios = |code, text: &str| status(Codes::Nagios, &output(code, text, ""));
    assert_eq!(nagios(Some(0), "OK - fine"), Some((Status::Healthy, "OK - fine".to_owned())));
    assert_eq!(nagios(Some(1), "WARN"), Some((Status::Degraded, "WARN".to_owned())));
    assert_eq!(nagios(Some(2), ""), Some((Status::Unhealthy, "check ended with 2".to_owned())));
    assert_eq!(nagios(Some(3), "?"), None);
    assert_eq!(nagios(None, ""), Some((Status::Unhealthy, "check was ended by a signal".to_owned())));
    let plain = status(Codes::Plain, &output(1, "", "no server\nusage: …"));
    assert_eq!(plain, Some((Status::Unhealthy, "no server".to_owned())));
}

#[test]
fn reads_performance_data() {
    let stdout = "DISK OK - free space: / 3326 MB (56%); | /=2643MB;5948;5958;0;5968 'load 1'=0,5;;;0 time=0.25s bad=U\n\
                  details\nmore | used=56%;80;90";
    let report = judge("check_disk", Codes::Nagios, &output(0, stdout, "")).unwrap();
    assert_eq!(report.message, "DISK OK - free space: / 3326 MB (56%);");
    let found: Vec<_> = report.metrics.iter().map(|m| (&*m.name, m.value, &*m.unit)).collect();
    let megabyte = 1024.0 * 1024.0;
    assert_eq!(
        found,
        [("value", 2643.0 * megabyte, "By"), ("load_1", 0.5, ""), ("time", 250.0, "ms"), ("used", 56.0, "%")]
    );
}

#[test]
fn what_could_not_run_says_nothing_about_the_process() {
    let command: Command = configure(r#"{"command": ["check", "-x"]}"#).unwrap();
    assert!(matches!(
        command.not_run(RunError::Denied("not granted".to_owned())),
        Err(Error::Unavailable(_))
    ));
    let late = command.not_run(RunError::Timeout).unwrap();
    assert_eq!((late.status, &*late.message), (Status::Unhealthy, "check did not end within 10000 ms"));
}

#[test]
fn a_command_is_needed() {
    for config in [r#"{"command": []}"#, r#"{"command": [""]}"#, r#"{"command": "ls"}"#, "{}"] {
        assert!(matches!(configure::<Command>(config), Err(Error::InvalidConfig(_))), "{config}");
    }
}

#[test]
fn survives_damage() {
    let samples = ["OK | a=1;2;3 'b c'=2MB\nmore | d=3%", "x|'=", "|=1"];
    for text in testing::damaged_texts(&samples) {
        let report = judge("check", Codes::Nagios, &output(0, &text, "")).unwrap();
        assert!(report.metrics.len() <= 32);
    }
}

#[test]
fn schema_is_current() {
    testing::schema_is_current::<Command>();
}
