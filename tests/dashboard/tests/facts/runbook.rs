//! `docs/runbook.md`.

use std::collections::BTreeSet;

use dashboard::board;
use dashboard::model::anchor;

use crate::{promql, rules, tree};

fn runbook() -> String {
    tree::read("docs/runbook.md")
}

/// The third-level sections of a second-level one, by heading.
fn sections(chapter: &str) -> Vec<(String, String)> {
    let text = runbook();
    let (_, rest) = text.split_once(&format!("\n## {chapter}\n")).expect("the chapter is there");
    let chapter = rest.split("\n## ").next().unwrap();
    let sections: Vec<_> = chapter
        .split("\n### ")
        .skip(1)
        .map(|section| section.split_once('\n').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap())
        .collect();
    assert!(!sections.is_empty());
    sections
}

/// The anchors of all headings.
pub(crate) fn anchors() -> Vec<String> {
    let text = runbook();
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#').trim_start())).collect()
}

/// Fenced blocks of a language.
fn blocks(language: &str) -> Vec<String> {
    let text = runbook();
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn every_alert_has_a_section_and_every_section_an_alert() {
    let sections: Vec<_> = sections("Alerts").into_iter().map(|(heading, _)| heading).collect();
    assert_eq!(sections.iter().cloned().collect::<BTreeSet<_>>(), rules::alerts().into_keys().collect());
    assert_eq!(sections.len(), rules::alerts().len(), "each once");
}

#[test]
fn every_alert_is_explained_the_same_way_with_a_query_to_run() {
    for (alert, text) in sections("Alerts") {
        let mut rest = text.as_str();
        for part in ["What it means", "Usual causes", "What to look at next", "What to do"] {
            let (_, after) =
                rest.split_once(&format!("**{part}.**")).unwrap_or_else(|| panic!("{alert}: {part}"));
            rest = after;
        }
        assert!(text.contains("```promql"), "{alert} has no query");
    }
}

#[test]
fn every_row_of_the_dashboard_has_a_section_that_says_what_to_do() {
    let rows: Vec<_> = board::rows().iter().map(|row| row.section.to_owned()).collect();
    let sections = sections("Panels");
    assert_eq!(sections.iter().map(|(heading, _)| heading.clone()).collect::<Vec<_>>(), rows);
    for (heading, text) in sections {
        assert!(text.contains("](#") || text.contains("What to do"), "{heading} leads nowhere");
    }
}

#[test]
fn every_query_asks_for_what_the_catalogue_or_a_rule_has() {
    let queries = blocks("promql");
    assert!(!queries.is_empty());
    for query in queries {
        promql::assert_known(&query);
    }
}

#[test]
fn every_link_inside_leads_to_a_heading_and_no_heading_is_twice() {
    let anchors = anchors();
    assert_eq!(anchors.iter().collect::<BTreeSet<_>>().len(), anchors.len());
    let text = runbook();
    let links: Vec<_> = text.split("](#").skip(1).map(|rest| rest.split(')').next().unwrap()).collect();
    assert!(!links.is_empty());
    for link in links {
        assert!(anchors.iter().any(|anchor| anchor == link), "#{link}");
    }
}
