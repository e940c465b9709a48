//! What a monitoring system wants to know, counted once a call when it has ended.
//! Names and units follow Prometheus' conventions; nothing here calls the switch.

use crate::result::LegReport;
use prometheus::proto::{Bucket, Metric, MetricFamily, MetricType};
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};
use serde_json::{Value, json};
use std::time::Duration;

pub struct Metrics {
    registry: Registry,
    started: IntCounter,
    ended: IntCounterVec,
    legs: IntCounterVec,
    calls_now: IntGauge,
    legs_now: IntGauge,
    ring: Histogram,
    answer: Histogram,
    hand_over: Histogram,
}

impl Metrics {
    /// Fails only if two metrics had the same name.
    pub fn new() -> prometheus::Result<Metrics> {
        let registry = Registry::new_custom(Some("cti".to_owned()), None)?;
        let seconds = |name: &str, help: &str, bounds: &[f64]| {
            Histogram::with_opts(HistogramOpts::new(name, help).buckets(bounds.to_vec()))
        };
        let patience = [1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 120.0];
        let moments = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0];
        let metrics = Metrics {
            started: IntCounter::new("calls_started_total", "Calls that cti_bridge began.")?,
            ended: IntCounterVec::new(
                Opts::new("calls_ended_total", "Calls that ended, by cti_result."),
                &["result"],
            )?,
            legs: IntCounterVec::new(
                Opts::new(
                    "legs_ended_total",
                    "Legs that ended, by role and hangup cause.",
                ),
                &["role", "cause"],
            )?,
            calls_now: IntGauge::new("calls_ringing", "Calls that nobody has answered yet.")?,
            legs_now: IntGauge::new("legs_ringing", "Legs that were dialled and have not ended.")?,
            ring: seconds(
                "ring_seconds",
                "From the beginning of a call to its answer or its failure.",
                &patience,
            )?,
            answer: seconds(
                "answer_seconds",
                "From the beginning of an answered call to its answer.",
                &patience,
            )?,
            hand_over: seconds(
                "hand_over_seconds",
                "From the end of a stage to the first leg of the next.",
                &moments,
            )?,
            registry,
        };
        let all: [Box<dyn prometheus::core::Collector>; 8] = [
            Box::new(metrics.started.clone()),
            Box::new(metrics.ended.clone()),
            Box::new(metrics.legs.clone()),
            Box::new(metrics.calls_now.clone()),
            Box::new(metrics.legs_now.clone()),
            Box::new(metrics.ring.clone()),
            Box::new(metrics.answer.clone()),
            Box::new(metrics.hand_over.clone()),
        ];
        for metric in all {
            metrics.registry.register(metric)?;
        }
        Ok(metrics)
    }

    pub fn call_started(&self) {
        self.started.inc();
    }

    /// A call has ended, answered or not; `ring`: to its answer or its failure.
    pub fn call_ended(&self, result: &str, ring: Duration, legs: &[LegReport]) {
        self.ended.with_label_values(&[result]).inc();
        self.ring.observe(ring.as_secs_f64());
        if result == "answered" {
            self.answer.observe(ring.as_secs_f64());
        }
        for leg in legs.iter().filter(|leg| leg.ended_ms.is_some()) {
            let cause = leg.cause.as_deref().unwrap_or("NONE");
            self.legs
                .with_label_values(&[leg.role.unwrap_or("failed"), cause])
                .inc();
        }
        let stages = legs.iter().map(|leg| leg.stage).max().unwrap_or(0);
        for stage in 2..=stages {
            let over = legs
                .iter()
                .filter(|leg| leg.stage == stage - 1)
                .filter_map(|leg| leg.ended_ms)
                .max();
            let next = legs
                .iter()
                .filter(|leg| leg.stage == stage)
                .filter_map(|leg| leg.start_ms)
                .min();
            if let (Some(over), Some(next)) = (over, next) {
                self.hand_over
                    .observe(next.saturating_sub(over) as f64 / 1000.0);
            }
        }
    }

    /// The text format of Prometheus.
    pub fn text(&self, calls_now: usize, legs_now: usize) -> String {
        let families = self.gather(calls_now, legs_now);
        prometheus::TextEncoder::new()
            .encode_to_string(&families)
            .unwrap_or_default()
    }

    pub fn json(&self, calls_now: usize, legs_now: usize) -> Value {
        let family = |family: &MetricFamily| {
            let kind = family.get_field_type();
            let metrics = family.get_metric().iter();
            let values: Vec<Value> = metrics.map(|it| metric(it, kind)).collect();
            (family.name().to_owned(), Value::from(values))
        };
        self.gather(calls_now, legs_now)
            .iter()
            .map(family)
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    fn gather(&self, calls_now: usize, legs_now: usize) -> Vec<MetricFamily> {
        self.calls_now.set(calls_now as i64);
        self.legs_now.set(legs_now as i64);
        self.registry.gather()
    }
}

fn metric(metric: &Metric, kind: MetricType) -> Value {
    let labels = metric.get_label().iter();
    let labels: serde_json::Map<_, _> = labels
        .map(|label| (label.name().to_owned(), Value::from(label.value())))
        .collect();
    let value = match kind {
        MetricType::HISTOGRAM => {
            let histogram = metric.get_histogram();
            let bucket = |bucket: &Bucket| json!({ "le": bucket.upper_bound(), "count": bucket.cumulative_count() });
            let buckets: Vec<Value> = histogram.get_bucket().iter().map(bucket).collect();
            return json!({
                "labels": labels,
                "count": histogram.get_sample_count(),
                "sum": histogram.get_sample_sum(),
                "buckets": buckets,
            });
        }
        MetricType::GAUGE => metric.get_gauge().get_value(),
        _ => metric.get_counter().get_value(),
    };
    json!({ "labels": labels, "value": value })
}
