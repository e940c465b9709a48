//! What a monitoring system wants to know, counted once a call when it has ended.
//! Names and units follow Prometheus' conventions; nothing here calls the switch.

use super::report::LegReport;
use crate::ring::{Outcome, PartId, StageId};
use prometheus::proto::{Bucket, Metric, MetricFamily, MetricType};
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

pub struct Metrics {
    registry: Registry,
    started: IntCounter,
    ended: IntCounterVec,
    legs: IntCounterVec,
    calls_now: IntGauge,
    legs_now: IntGauge,
    ring: HistogramVec,
    answer: Histogram,
    hand_over: Histogram,
}

impl Metrics {
    /// Fails only if two metrics had the same name.
    pub fn new() -> prometheus::Result<Metrics> {
        let registry = Registry::new_custom(Some("cti".to_owned()), None)?;
        let seconds = |name: &str, help: &str, bounds: &[f64]| {
            HistogramOpts::new(name, help).buckets(bounds.to_vec())
        };
        let patience = [1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 120.0];
        let moments = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0];
        let ring = seconds(
            "ring_seconds",
            "From the beginning of a call to its answer or its failure, by cti_result.",
            &patience,
        );
        let answer = seconds(
            "answer_seconds",
            "From the winner's answer to its caller's.",
            &moments,
        );
        let hand_over = seconds(
            "hand_over_seconds",
            "From the end of a stage's last leg to the first leg of the next.",
            &moments,
        );
        let metrics = Metrics {
            started: IntCounter::new("calls_started_total", "Calls that cti_bridge began.")?,
            ended: IntCounterVec::new(
                Opts::new("calls_ended_total", "Calls that ended, by cti_result."),
                &["result"],
            )?,
            legs: IntCounterVec::new(
                Opts::new(
                    "legs_ended_total",
                    "Legs of calls that ended, by role and hangup cause.",
                ),
                &["role", "cause"],
            )?,
            calls_now: IntGauge::new("calls_ringing", "Calls that nobody has answered yet.")?,
            legs_now: IntGauge::new("legs_ringing", "Legs that were dialled and have not ended.")?,
            ring: HistogramVec::new(ring, &["result"])?,
            answer: Histogram::with_opts(answer)?,
            hand_over: Histogram::with_opts(hand_over)?,
            registry,
        };
        // From the first scrape on, so that the first call of a kind is seen as an increase.
        for outcome in Outcome::ALL {
            metrics.ended.with_label_values(&[outcome.name()]);
            metrics.ring.with_label_values(&[outcome.name()]);
        }
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

    /// A plan that was refused whole: a call that rang nobody.
    pub fn call_refused(&self) {
        self.started.inc();
        self.ended
            .with_label_values(&[Outcome::Invalid.name()])
            .inc();
    }

    /// The caller was answered so long after the winner.
    pub fn caller_answered(&self, after: Duration) {
        self.answer.observe(after.as_secs_f64());
    }

    /// A call has ended, answered or not; `ring`: to its answer or its failure.
    pub fn call_ended(&self, result: &str, ring: Duration, legs: &[LegReport]) {
        // Labels come from closed lists, ours and the switch's table of causes; the variable
        // that `result` was read from could be anybody's.
        let mut known = Outcome::ALL.iter().map(|outcome| outcome.name());
        let result = known.find(|&name| name == result).unwrap_or("failed");
        self.ended.with_label_values(&[result]).inc();
        self.ring
            .with_label_values(&[result])
            .observe(ring.as_secs_f64());
        for leg in legs {
            // A loser may need longer to end than its call.
            let cause = leg.cause.as_deref().unwrap_or("NONE");
            self.legs
                .with_label_values(&[leg.role.unwrap_or("failed"), cause])
                .inc();
        }
        for time in hand_overs(legs) {
            self.hand_over.observe(time.as_secs_f64());
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

/// How long nobody rang between two stages of a part. Where a stage goes on ringing beside the
/// next, or rings again, there is nothing to measure.
fn hand_overs(legs: &[LegReport]) -> Vec<Duration> {
    const NEVER: u64 = u64::MAX;
    let mut stages: BTreeMap<(PartId, StageId), (u64, u64)> = BTreeMap::new();
    for leg in legs {
        let (start, end) = stages.entry((leg.part, leg.stage)).or_insert((NEVER, 0));
        *start = leg.start_ms.unwrap_or(NEVER).min(*start);
        *end = leg.ended_ms.unwrap_or(NEVER).max(*end);
    }
    let times = stages.iter().filter_map(|(&(part, stage), &(start, _))| {
        let &(_, end) = stages.get(&(part, StageId(stage.0.checked_sub(1)?)))?;
        start.checked_sub(end).filter(|_| start != NEVER)
    });
    times.map(Duration::from_millis).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A leg of `part` and `stage`, from when to when.
    fn leg(part: usize, stage: usize, from: Option<u64>, to: Option<u64>) -> LegReport {
        LegReport {
            part: PartId(part),
            stage: StageId(stage - 1),
            start_ms: from,
            ended_ms: to,
            cause: to.map(|_| "NO_ANSWER".to_owned()),
            role: Some("failed"),
            ..LegReport::default()
        }
    }

    #[test]
    fn a_hand_over_is_the_silence_between_two_stages() {
        let table = [
            ("one stage", vec![leg(0, 1, Some(0), Some(900))], vec![]),
            (
                "the last of a fork counts, and the first of the next",
                vec![
                    leg(0, 1, Some(0), Some(300)),
                    leg(0, 1, Some(0), Some(2000)),
                    leg(0, 2, Some(2500), Some(3000)),
                    leg(0, 2, Some(2021), Some(3000)),
                ],
                vec![21],
            ),
            (
                "parts ring side by side",
                vec![
                    leg(0, 1, Some(0), Some(1000)),
                    leg(1, 1, Some(0), Some(5000)),
                    leg(0, 2, Some(1007), Some(5000)),
                ],
                vec![7],
            ),
            (
                "a target that cannot be dialled ends where it began",
                vec![leg(0, 1, None, Some(4)), leg(0, 2, Some(5), None)],
                vec![1],
            ),
            (
                "a stage that cannot be dialled at all",
                vec![leg(0, 1, Some(0), Some(4)), leg(0, 2, None, Some(5))],
                vec![],
            ),
            (
                "a leg that has not ended rings on",
                vec![
                    leg(0, 1, Some(0), Some(1000)),
                    leg(0, 1, Some(0), None),
                    leg(0, 2, Some(2000), Some(9000)),
                ],
                vec![],
            ),
            (
                "a stage that rings on beside the next",
                vec![
                    leg(0, 1, Some(0), Some(9000)),
                    leg(0, 2, Some(2000), Some(9000)),
                ],
                vec![],
            ),
        ];
        for (what, legs, expected) in table {
            let seen: Vec<u128> = hand_overs(&legs).iter().map(Duration::as_millis).collect();
            assert_eq!(seen, expected, "{what}");
        }
    }

    #[test]
    fn each_call_and_each_leg_is_counted_once() {
        let metrics = Metrics::new().expect("names are unique");
        metrics.call_started();
        let legs = [
            leg(0, 1, Some(0), Some(900)),
            leg(0, 1, Some(0), Some(950)),
            leg(0, 1, Some(0), None),
        ];
        metrics.call_ended("no_answer", Duration::from_millis(950), &legs);
        metrics.call_refused();
        metrics.call_ended("a dialplan's own \"word\"", Duration::ZERO, &[]);
        let text = metrics.text(3, 5);
        for line in [
            "cti_calls_started_total 2",
            r#"cti_calls_ended_total{result="no_answer"} 1"#,
            r#"cti_calls_ended_total{result="invalid"} 1"#,
            r#"cti_calls_ended_total{result="failed"} 1"#,
            r#"cti_calls_ended_total{result="answered"} 0"#,
            r#"cti_legs_ended_total{cause="NO_ANSWER",role="failed"} 2"#,
            r#"cti_legs_ended_total{cause="NONE",role="failed"} 1"#,
            r#"cti_ring_seconds_bucket{result="no_answer",le="1"} 1"#,
            r#"cti_ring_seconds_count{result="invalid"} 0"#,
            "cti_calls_ringing 3",
            "cti_legs_ringing 5",
        ] {
            assert!(text.lines().any(|it| it == line), "no {line} in\n{text}");
        }
        let json = metrics.json(3, 5);
        assert_eq!(json["cti_calls_started_total"][0]["value"], 2.0);
        assert_eq!(json["cti_hand_over_seconds"][0]["count"], 0);
    }
}
