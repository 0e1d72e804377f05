//! `export slurm`, `export batch` and, beside this file, `export kubernetes`: the workers of a load as an array job of an engine. All begin at one time, which
//! is given when the job is submitted; each finds its part by the engine's own variables. Judging is not the engine's: `brownout report`
//! does it.

use std::time::Duration;

use serde_json::{Value, json};

use super::shell::word;
use super::text::yaml;
use super::written::File;

/// A load and its workers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadJob {
    /// The file's name without `.toml`.
    pub name: String,
    /// The path of the file, as the workers see it.
    pub file: String,
    /// How many workers share it, 2 at least.
    pub workers: u64,
    /// How long it is sent.
    pub length: Duration,
}

impl LoadJob {
    /// A name that every engine takes: lower case, digits and hyphens.
    pub(crate) fn label(&self) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let label: String = self.name.chars().map(plain).take(40).collect();
        format!("brownout-{}", label.trim_matches('-'))
    }

    /// The folder of all workers, beside the file.
    pub(crate) fn out(&self) -> String {
        format!("{}-workers", self.name)
    }

    /// How long a worker may take, in whole minutes: ten for its start and its last answers.
    pub(crate) fn minutes(&self) -> u64 {
        self.length.as_secs().div_ceil(60) + 10
    }

    /// The file's name: in a container it is in the shared folder.
    pub(crate) fn in_folder(&self) -> String {
        format!("{SHARED}/{}", self.file.rsplit('/').next().unwrap_or(&self.file))
    }
}

/// The folder that all containers share: the file, its data, and what the workers write.
pub(crate) const SHARED: &str = "/load";

/// Time until the start, for the engine to start all workers, in seconds.
pub const LEAD_S: u64 = 180;

/// An array of Slurm, whose tasks must run at the same time and share the folder in which it is submitted.
pub fn slurm(job: &LoadJob) -> Vec<File> {
    vec![File::new("load.sbatch", slurm_array(job, std::slice::from_ref(&job.file), &job.out()))]
}

/// The script of that array: each task is `brownout load` with these words, and writes below the folder `out`.
pub fn slurm_array(job: &LoadJob, words: &[String], out: &str) -> String {
    let (label, last, minutes) = (job.label(), job.workers - 1, job.minutes());
    let words = words.iter().map(|one| word(one)).collect::<Vec<_>>().join(" ");
    format!(
        "#!/bin/bash
#SBATCH --job-name={label}
#SBATCH --array=0-{last}
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=2
#SBATCH --time={minutes}
#SBATCH --no-requeue
# All workers begin at one time. Submit it from a folder that all machines share, and judge when all have ended:
#   job=$(sbatch --parsable --export=ALL,BROWNOUT_START_AT=$(($(date +%s) + {LEAD_S})) load.sbatch)
#   sbatch --dependency=afterany:$job --wrap {}
set -eu
: \"${{BROWNOUT_START_AT:?submit it with the line at its head}}\"
exec brownout load {words} --worker --out {}
",
        word(&format!("brownout report {}", word(out))),
        word(out)
    )
}

/// An array job of AWS Batch on Fargate, with its queue; its containers share a file system of EFS.
pub fn batch(job: &LoadJob) -> Vec<File> {
    let template = json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": format!("Workers of the load {}, for AWS Batch", job.name),
        "Parameters": {
            "Image": {"Type": "String", "Description": "Container image with the program brownout"},
            "FileSystem": {"Type": "String", "Description": "Id of the EFS file system that has the file and its data"},
            "Subnets": {"Type": "List<AWS::EC2::Subnet::Id>", "Description": "Subnets from which the load is sent"},
            "SecurityGroups": {"Type": "List<AWS::EC2::SecurityGroup::Id>", "Description": "Groups that reach the target and the file system"},
        },
        "Resources": resources(job),
        "Outputs": {"Submit": {
            "Description": "Starts all workers; they send in three minutes",
            "Value": {"Fn::Sub": submit(job)},
        }},
    });
    vec![File::new("batch.yaml", yaml(&template))]
}

/// What submits an array job (`SubmitJob`) whose file and results are below the folder that all containers share: the job's file and
/// `out` as they see it. All begin at `start_at`; one that is started again would send its part when the others have sent theirs.
pub fn batch_submission(job: &LoadJob, queue: &str, definition: &str, out: &str, seed: Option<u64>, start_at: &str) -> Value {
    let mut command =
        vec!["brownout".to_owned(), "load".to_owned(), job.file.clone(), "--worker".to_owned(), "--out".to_owned(), out.to_owned()];
    command.extend(seed.iter().flat_map(|seed| ["--seed".to_owned(), seed.to_string()]));
    json!({
        "jobName": job.label(),
        "jobQueue": queue,
        "jobDefinition": definition,
        "arrayProperties": {"size": job.workers},
        "containerOverrides": {"command": command, "environment": [{"name": "BROWNOUT_START_AT", "value": start_at}]},
        "retryStrategy": {"attempts": 1},
        "timeout": {"attemptDurationSeconds": job.minutes() * 60},
    })
}

fn submit(job: &LoadJob) -> String {
    format!(
        "aws batch submit-job --job-name {} --job-queue ${{Queue}} --job-definition ${{Worker}} --array-properties size={} \
         --container-overrides environment=[{{name=BROWNOUT_START_AT,value=$(($(date +%s) + {LEAD_S}))}}]",
        job.label(),
        job.workers
    )
}

fn resources(job: &LoadJob) -> Value {
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ]});
    let policy = json!({"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"});
    json!({
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust, "ManagedPolicyArns": [policy]}},
        "Log": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 30}},
        "Machines": {"Type": "AWS::Batch::ComputeEnvironment", "Properties": {
            "Type": "MANAGED",
            "ComputeResources": {
                "Type": "FARGATE",
                "MaxvCpus": 2 * job.workers,
                "Subnets": {"Ref": "Subnets"},
                "SecurityGroupIds": {"Ref": "SecurityGroups"},
            },
        }},
        "Queue": {"Type": "AWS::Batch::JobQueue", "Properties": {
            "Priority": 1,
            "ComputeEnvironmentOrder": [{"Order": 1, "ComputeEnvironment": {"Ref": "Machines"}}],
        }},
        "Worker": {"Type": "AWS::Batch::JobDefinition", "Properties": {
            "Type": "container",
            "PlatformCapabilities": ["FARGATE"],
            // One that is started again would send its part when the others have sent theirs.
            "RetryStrategy": {"Attempts": 1},
            "Timeout": {"AttemptDurationSeconds": job.minutes() * 60},
            "ContainerProperties": {
                "Image": {"Ref": "Image"},
                "Command": ["brownout", "load", job.in_folder(), "--worker", "--out", format!("{SHARED}/{}", job.out())],
                "ExecutionRoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
                "ResourceRequirements": [{"Type": "VCPU", "Value": "2"}, {"Type": "MEMORY", "Value": "4096"}],
                "LogConfiguration": {"LogDriver": "awslogs", "Options": {"awslogs-group": {"Ref": "Log"}}},
                "Volumes": [{"Name": "load", "EfsVolumeConfiguration": {"FileSystemId": {"Ref": "FileSystem"}, "TransitEncryption": "ENABLED"}}],
                "MountPoints": [{"SourceVolume": "load", "ContainerPath": SHARED}],
            },
        }},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_such_that_every_engine_and_every_shell_takes_them() {
        let job =
            |name: &str, file: &str| LoadJob { name: name.to_owned(), file: file.to_owned(), workers: 3, length: Duration::from_secs(61) };
        let strange = job("Big Sale's_load", "loads/Big Sale's_load.toml");
        assert_eq!((strange.label().as_str(), strange.minutes()), ("brownout-big-sale-s-load", 12));
        assert_eq!(strange.in_folder(), "/load/Big Sale's_load.toml");
        let script = &slurm(&strange)[0].text;
        assert!(
            script.contains(r"exec brownout load 'loads/Big Sale'\''s_load.toml' --worker --out 'Big Sale'\''s_load-workers'"),
            "{script}"
        );
        assert!(script.contains("#SBATCH --array=0-2\n"), "{script}");
    }
}
