//! Whether a value is what a schema describes, no more and no less: a member that is not described is wrong, which
//! a validator of JSON Schema does not say of schemas that others add to.

use serde_json::Value;

use super::members;

/// Checks a value.
///
/// # Errors
/// The first thing that differs, and where.
pub(super) fn fits(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let fits = |schema: &Value, value: &Value| fits(document, schema, value);
    if let Some(reference) = schema["$ref"].as_str() {
        let found = document.pointer(reference.trim_start_matches('#'));
        return fits(found.ok_or_else(|| format!("nothing stands at {reference}"))?, value);
    }
    for either in ["oneOf", "anyOf"] {
        if let Some(ways) = schema[either].as_array() {
            let tried: Vec<_> = ways.iter().map(|way| fits(way, value)).collect();
            if let (false, Some(Err(why))) = (tried.iter().any(Result::is_ok), tried.last()) {
                return Err(format!("fits none of {either}, the last one: {why}"));
            }
            return Ok(());
        }
    }
    check_type(schema, value)?;
    if let Some(allowed) = schema["enum"].as_array() {
        allowed
            .contains(value)
            .then_some(())
            .ok_or_else(|| format!("{value} is none of {allowed:?}"))?;
    }
    for item in value.as_array().into_iter().flatten() {
        fits(&schema["items"], item)?;
    }
    if !value.is_object() {
        return Ok(());
    }
    let (properties, required) = of_object(document, schema);
    if let Some(name) = required.iter().find(|name| value.get(**name).is_none()) {
        return Err(format!("{name} is missing"));
    }
    let open = schema.get("properties").is_none() && schema.get("allOf").is_none();
    for (name, member) in members(value) {
        let property = properties.iter().rev().find(|(known, _)| *known == name);
        let described = property.map(|(_, schema)| *schema).or(schema.get("additionalProperties"));
        match described {
            Some(described) => fits(described, member).map_err(|why| format!("{name}: {why}"))?,
            None if open => {}
            None => return Err(format!("{name} is not described")),
        }
    }
    Ok(())
}

/// The members of an object and those that it must have, with what it is made up of.
fn of_object<'a>(
    document: &'a Value,
    schema: &'a Value,
) -> (Vec<(&'a str, &'a Value)>, Vec<&'a str>) {
    if let Some(reference) = schema["$ref"].as_str() {
        return of_object(document, document.pointer(reference.trim_start_matches('#')).unwrap());
    }
    let mut properties: Vec<_> = members(&schema["properties"]).collect();
    let required = schema["required"].as_array().into_iter().flatten();
    let mut required: Vec<_> = required.filter_map(Value::as_str).collect();
    for part in schema["allOf"].as_array().into_iter().flatten() {
        let (more, needed) = of_object(document, part);
        properties.extend(more);
        required.extend(needed);
    }
    (properties, required)
}

fn check_type(schema: &Value, value: &Value) -> Result<(), String> {
    let types = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect::<Vec<_>>(),
    };
    let is = |kind: &&str| match *kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    };
    let good = types.is_empty() || types.iter().any(is);
    good.then_some(()).ok_or_else(|| format!("{value} is no {}", types.join(" or ")))?;
    let (Some(text), Some(format)) = (value.as_str(), schema["format"].as_str()) else {
        return Ok(());
    };
    let read = format != "date-time" || kasparro_domain::Timestamp::parse(text).is_ok();
    read.then_some(()).ok_or_else(|| format!("{text} is no instant"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_schema_does_not_describe_is_found() {
        let document = json!({"components": {"schemas": {"Part": {"type": "object", "required": ["a"],
            "properties": {"a": {"type": ["integer", "null"]}, "at": {"type": "string", "format": "date-time"}}}}}});
        let part = json!({"$ref": "#/components/schemas/Part"});
        let schema = json!({"allOf": [part, {"type": "object", "properties": {"list": {"type": "array",
            "items": {"oneOf": [{"type": "null"}, part]}}}}]});
        for good in [
            json!({"a": 1}),
            json!({"a": null, "at": "2024-01-01T00:00:00Z"}),
            json!({"a": 2, "list": [null, {"a": 1}]}),
        ] {
            assert_eq!(fits(&document, &schema, &good), Ok(()), "{good}");
        }
        for (bad, why) in [
            (json!({}), "a is missing"),
            (json!({"a": 1.5}), "a: 1.5 is no integer or null"),
            (json!({"a": 1, "b": 1}), "b is not described"),
            (json!({"a": 1, "at": "noon"}), "at: noon is no instant"),
            (json!({"a": 1, "list": [{}]}), "list: fits none of oneOf, the last one: a is missing"),
        ] {
            assert_eq!(fits(&document, &schema, &bad), Err(why.to_owned()));
        }
    }
}
