//! `assize run`: the operator.

use std::process::ExitCode;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::Outcome;
use crate::config::OperatorSettings;
use crate::telemetry::logs::{self, LogSettings};

/// Run the operator: watch services and agreements, measure, and write status and reports.
#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    settings: OperatorSettings,
}

impl Run {
    pub(super) fn run(&self) -> Outcome {
        // Two threads: one decodes watches while the other plans; more only cost memory.
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(self.operate())?;
        Ok(ExitCode::SUCCESS)
    }

    async fn operate(&self) -> Result<(), Box<dyn std::error::Error>> {
        let settings = &self.settings;
        let logs = logs::install(&LogSettings {
            format: settings.log_format.into(),
            filter: &settings.log,
            otlp_endpoint: settings.otlp_endpoint.as_deref(),
        })?;
        let client = kube::Client::try_default().await?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let shutdown = async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        crate::control::operator::run(client, settings.clone(), shutdown).await?;
        logs.shutdown();
        Ok(())
    }
}
