use std::collections::HashSet;

use worker_metrics::catalogue::{CATALOGUE, Definition, Instrument, Level, Reading};
use worker_metrics::{Counter, Metric};

#[test]
fn names_are_unique_and_well_formed() {
    let mut seen = HashSet::new();
    for definition in CATALOGUE {
        assert!(seen.insert(definition.suffix), "{} stands twice", definition.suffix);
        for part in definition.suffix.split('.') {
            assert!(!part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{part}");
        }
        assert!(!definition.suffix.ends_with("total"));
        assert!(!definition.suffix.contains("seconds"));
    }
    assert_eq!(seen.len(), Metric::ALL.len());
}

#[test]
fn no_name_is_the_namespace_of_another() {
    for one in CATALOGUE {
        for other in CATALOGUE {
            assert!(
                !other.suffix.starts_with(&format!("{}.", one.suffix)),
                "{} {}",
                one.suffix,
                other.suffix
            );
        }
    }
}

#[test]
fn times_are_in_seconds_and_counts_in_braces() {
    for Definition { suffix, unit, reading, .. } in CATALOGUE {
        match reading {
            Reading::WorkerTime { .. }
            | Reading::WorkerTimeByMicrostate(_)
            | Reading::Histogram(_)
            | Reading::TaskGroupHistogram(_)
            | Reading::WorkerHistogram(_)
            | Reading::WorkerHistogramByCause(_) => assert_eq!(*unit, "s", "{suffix}"),
            _ => assert!(unit.starts_with('{') && unit.ends_with('}'), "{suffix}: {unit}"),
        }
    }
}

#[test]
fn descriptions_are_one_sentence() {
    for definition in CATALOGUE {
        assert!(definition.description.ends_with('.'), "{}", definition.suffix);
        assert_eq!(definition.description.matches('.').count(), 1, "{}", definition.suffix);
    }
}

#[test]
fn every_row_has_an_instrument() {
    for Definition { suffix, instrument, reading, .. } in CATALOGUE {
        let times = matches!(reading, Reading::WorkerTime { .. } | Reading::WorkerTimeByMicrostate(_));
        let histogram = matches!(
            reading,
            Reading::WorkerHistogram(_)
                | Reading::WorkerHistogramByCause(_)
                | Reading::Histogram(_)
                | Reading::TaskGroupHistogram(_)
        );
        match instrument {
            Instrument::Counter => assert!(!histogram, "{suffix}"),
            Instrument::UpDownCounter => assert!(!histogram && !times, "{suffix}"),
            Instrument::Gauge => assert!(times, "{suffix}"),
            Instrument::Histogram => assert!(histogram, "{suffix}"),
            other => panic!("{suffix}: {other:?}"),
        }
    }
}

#[test]
fn each_metric_speaks_of_what_its_name_says() {
    for definition in CATALOGUE {
        let name = definition.suffix;
        let expected = match name {
            "worker.count" => Level::Runtime,
            "task.poll.duration" | "task.schedule.duration" => Level::Worker,
            _ if name.starts_with("worker.") => Level::Worker,
            _ if name.starts_with("task.group.") => Level::TaskGroup,
            _ => Level::Runtime,
        };
        assert_eq!(definition.level(), expected, "{name}");
    }
}

#[test]
fn a_definition_is_found_by_its_name() {
    assert_eq!(Definition::find("worker.parks").unwrap().unit, "{park}");
    assert!(Definition::find("worker.park").is_none());
}

#[test]
fn every_metric_is_the_row_of_its_index_and_is_called_as_its_name_says() {
    assert_eq!(Metric::ALL.len(), CATALOGUE.len());
    for (index, (&metric, definition)) in Metric::ALL.iter().zip(CATALOGUE).enumerate() {
        assert_eq!((metric, metric.index()), (definition.metric, index));
        assert!(std::ptr::eq(metric.definition(), definition));
        let name: String = definition.suffix.split(['.', '_']).map(capitalised).collect();
        assert_eq!(format!("{metric:?}"), name);
    }
}

fn capitalised(word: &str) -> String {
    word[..1].to_ascii_uppercase() + &word[1..]
}

#[test]
fn every_counter_has_one_row() {
    for &counter in Counter::ALL {
        let is_read = |definition: &&Definition| matches!(definition.reading, Reading::WorkerCount(read) if read == counter);
        assert_eq!(CATALOGUE.iter().filter(is_read).count(), 1, "{counter:?}");
    }
}
