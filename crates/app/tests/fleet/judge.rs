//! What must be true of the store in the end.

use crate::stack::Stack;

pub(crate) fn judge(stack: &Stack) -> serde_json::Value {
    let fleet = stack.verified(&stack.database.url());
    let control = stack.verified(&format!("sqlite:{}", stack.control().display()));
    assert_eq!(fleet["violations"], control["violations"]);
    for (name, table) in control["tables"].as_object().unwrap() {
        assert_eq!(&fleet["tables"][name], table, "table {name}");
    }
    assert_eq!(fleet["digest"], control["digest"]);

    let older = "SELECT count(*) FROM (
        SELECT epoch, lag(epoch) OVER (PARTITION BY source_id ORDER BY generation) AS before
        FROM kasparro.batch) AS batches WHERE epoch < before";
    let older = stack.first_cell(older);
    assert_eq!(older.as_deref(), Some("0"), "batches of old epochs (I4)");
    let open = "SELECT count(*) FROM kasparro.run WHERE status = 'running'";
    assert_eq!(stack.first_cell(open).as_deref(), Some("0"), "runs that nobody carries on");
    let landed = "SELECT count(*) FROM kasparro.page WHERE state = 'landed'";
    assert_eq!(stack.first_cell(landed).as_deref(), Some("0"), "pages that nobody loaded");
    let twice = "SELECT count(*) FROM (
        SELECT 1 FROM kasparro.run AS one JOIN kasparro.run AS other USING (source_id)
        WHERE one.run_id < other.run_id AND one.status = 'success' AND other.status = 'success'
          AND one.started_at < other.completed_at AND other.started_at < one.completed_at) AS pairs";
    let twice = stack.first_cell(twice);
    assert_eq!(twice.as_deref(), Some("0"), "runs of one source at once");

    let count = |table: &str| {
        let rows = stack.first_cell(&format!("SELECT count(*) FROM kasparro.{table}"));
        rows.unwrap().parse::<u64>().unwrap()
    };
    let abandoned = "SELECT count(*) FROM kasparro.run WHERE status = 'abandoned'";
    serde_json::json!({
        "digest": fleet["digest"],
        "digest_of_one_undisturbed_process": control["digest"],
        "violations": fleet["violations"],
        "runs": count("run"),
        "runs_abandoned": stack.first_cell(abandoned).unwrap().parse::<u64>().unwrap(),
        "batches": count("batch"),
        "pages": count("page"),
        "points_of_history": count("history"),
        "batches_of_an_old_epoch": older,
        "runs_of_one_source_at_once": twice,
    })
}
