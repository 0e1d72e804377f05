//! The workers of a load as an Indexed Job of Kubernetes: for a pipeline that owns its cluster, with a volume that all pods share, and for
//! `brownout load --workers kubernetes:N`, which brings the file along and needs no volume.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::load_workers::{LEAD_S, LoadJob, SHARED};
use super::text::yaml;
use super::written::File;

/// The most that a Secret holds, in bytes of all its values.
pub const LONGEST_SECRET: usize = 1 << 20;

/// The user whom a pod names that brings no volume with users of its own.
const NOBODY: u32 = 65_532;

/// A job whose pods share the volume of a claim `brownout-load`.
pub fn kubernetes(job: &LoadJob) -> Vec<File> {
    let args = ["load", &job.in_folder(), "--worker", "--of", &job.workers.to_string(), "--out", &format!("{SHARED}/{}", job.out())];
    let container = json!({
        "name": "worker",
        "image": "${BROWNOUT_IMAGE}",
        "command": ["brownout"],
        "args": args,
        "env": [{"name": "BROWNOUT_START_AT", "value": "${BROWNOUT_START_AT}"}],
        "resources": {"requests": {"cpu": "2", "memory": "1Gi"}},
        "volumeMounts": [{"name": "load", "mountPath": SHARED}],
    });
    let pod = json!({
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": [{"name": "load", "persistentVolumeClaim": {"claimName": "brownout-load"}}],
    });
    let head = format!(
        "# All workers begin at one time. The claim `brownout-load` can be mounted by many pods, and has the file and its data:
#   export BROWNOUT_IMAGE=registry.example.com/brownout:0.1.0 BROWNOUT_START_AT=$(($(date +%s) + {LEAD_S}))
#   envsubst '$BROWNOUT_IMAGE $BROWNOUT_START_AT' < job.yaml | kubectl create -f -
# When all have ended, in a pod with the same volume: brownout report {SHARED}/{}
",
        job.out()
    );
    vec![File::new("job.yaml", head + &yaml(&indexed(job, json!({"name": job.label()}), pod)))]
}

/// One that is started again would send its part when the others have sent theirs: it is not.
fn indexed(job: &LoadJob, metadata: Value, pod: Value) -> Value {
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {
            "completionMode": "Indexed",
            "completions": job.workers,
            "parallelism": job.workers,
            "backoffLimit": 0,
            "activeDeadlineSeconds": job.minutes() * 60,
            "template": {"spec": pod},
        },
    })
}

/// What the pods of one job get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brought {
    /// The name of the job and of its secret: lower case, digits and hyphens, at most 60 characters.
    pub name: String,
    /// The image with the program `brownout`.
    pub image: String,
    /// The arguments of `brownout`.
    pub arguments: Vec<String>,
    /// Files below the folder that the arguments name, by path.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Environment variables.
    pub variables: BTreeMap<String, String>,
}

impl Brought {
    /// A name that no other job has which is submitted in another second, `unix_s`.
    pub fn name(job: &LoadJob, unix_s: u32) -> String {
        format!("{}-{unix_s:08x}", job.label())
    }

    /// Where a file is in a pod.
    pub fn path(file: &str) -> String {
        format!("{SHARED}/{file}")
    }

    /// Where a worker writes in its pod.
    pub const OUT: &'static str = "/out";

    /// The files and the variables.
    pub fn secret(&self) -> Value {
        let files = self.files.values().enumerate().map(|(n, bytes)| (file_key(n), STANDARD.encode(bytes)));
        let variables = self.variables.values().enumerate().map(|(n, value)| (variable_key(n), STANDARD.encode(value)));
        let data: BTreeMap<_, _> = files.chain(variables).collect();
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": self.name}, "type": "Opaque", "immutable": true, "data": data})
    }

    /// The job. Its pods may do nothing that Kubernetes' strictest standard for pods forbids; it goes an hour after its end.
    pub fn job(&self, job: &LoadJob) -> Value {
        let items: Vec<_> = self.files.keys().enumerate().map(|(n, path)| json!({"key": file_key(n), "path": path})).collect();
        let variable =
            |(n, name): (usize, &String)| json!({"name": name, "valueFrom": {"secretKeyRef": {"name": self.name, "key": variable_key(n)}}});
        let variables: Vec<_> = self.variables.keys().enumerate().map(variable).collect();
        let container = json!({
            "name": "worker",
            "image": self.image,
            "command": ["brownout"],
            "args": self.arguments,
            "env": variables,
            "resources": {"requests": {"cpu": "2", "memory": "1Gi"}},
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": {"drop": ["ALL"]},
            },
            "volumeMounts": [{"name": "load", "mountPath": SHARED, "readOnly": true}, {"name": "out", "mountPath": Self::OUT}],
        });
        let pod = json!({
            "restartPolicy": "Never",
            "automountServiceAccountToken": false,
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": NOBODY, "fsGroup": NOBODY, "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
            "volumes": [{"name": "load", "secret": {"secretName": self.name, "items": items}}, {"name": "out", "emptyDir": {}}],
        });
        let mut indexed = indexed(job, json!({"name": self.name}), pod);
        if let Some(spec) = indexed.get_mut("spec").and_then(Value::as_object_mut) {
            spec.insert("ttlSecondsAfterFinished".to_owned(), json!(3600));
        }
        indexed
    }
}

/// The key of the `n`-th file: its path may hold what a key may not.
fn file_key(n: usize) -> String {
    format!("file-{n}")
}

fn variable_key(n: usize) -> String {
    format!("variable-{n}")
}
