//! Which service and which operation a request is for.

use http::{HeaderMap, Method, Uri};
use percent_encoding::percent_decode_str;

use crate::{
    schema::{Operation, Protocol, Service},
    sigv4::Claim,
};

/// Labels of a REST path by name, decoded.
pub(crate) type Labels = Vec<(&'static str, String)>;

/// Services by the signs that requests carry.
pub(crate) struct Router {
    services: Vec<&'static Service>,
    rest: Vec<Route>,
}

struct Route {
    service: usize,
    operation: usize,
    method: &'static str,
    segments: Vec<Segment>,
    /// What the query must hold: `find=LayerVersion`.
    query: Option<&'static str>,
    literals: usize,
}

enum Segment {
    Literal(&'static str),
    Label(&'static str),
    /// `{Key+}`: the rest of the path.
    Rest(&'static str),
}

impl Router {
    pub(crate) fn new(services: Vec<&'static Service>) -> Router {
        let mut rest = Vec::new();
        for (index, service) in services.iter().enumerate() {
            if !service.protocols.contains(&Protocol::RestJson) {
                continue;
            }
            let operations = service.operations.iter().enumerate();
            rest.extend(operations.map(|(number, operation)| Route::new(index, number, operation)));
        }
        // The most literal one wins: `/functions/{Name}` stands behind `/functions/list`.
        rest.sort_by_key(|route| std::cmp::Reverse(route.literals));
        Router { services, rest }
    }

    /// The service whose name stands in the signature's scope, the target, the path or the form.
    pub(crate) fn service(
        &self,
        claim: Option<&Claim>,
        headers: &HeaderMap,
        method: &Method,
        uri: &Uri,
    ) -> Option<usize> {
        if let Some(claim) = claim {
            let name = claim.service.as_str();
            return self.services.iter().position(|service| service.scopes.contains(&name));
        }
        if let Some((prefix, _)) = target(headers) {
            return self.services.iter().position(|it| it.target_prefix == prefix);
        }
        self.rest
            .iter()
            .find(|route| route.method == method.as_str() && route.matches(uri).is_some())
            .map(|route| route.service)
    }

    /// The service of an unsigned query request, by its `Version`.
    pub(crate) fn of_version(&self, version: &str, action: &str) -> Option<usize> {
        self.services.iter().position(|service| {
            service.protocols.contains(&Protocol::Query)
                && service.api_version == version
                && service.operation(action).is_some()
        })
    }

    /// The REST operation of a method, a path and sometimes a query.
    pub(crate) fn rest(
        &self,
        service: usize,
        method: &Method,
        uri: &Uri,
    ) -> Option<(usize, Labels)> {
        self.rest
            .iter()
            .filter(|route| route.service == service && route.method == method.as_str())
            .find_map(|route| route.matches(uri).map(|labels| (route.operation, labels)))
    }
}

/// `AmazonSQS.SendMessage` taken apart.
pub(crate) fn target(headers: &HeaderMap) -> Option<(&str, &str)> {
    headers.get("x-amz-target")?.to_str().ok()?.rsplit_once('.')
}

impl Route {
    fn new(service: usize, number: usize, operation: &'static Operation) -> Route {
        let (path, query) = match operation.uri.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (operation.uri, None),
        };
        let segments: Vec<Segment> =
            path.split('/').filter(|it| !it.is_empty()).map(segment).collect();
        let words = segments.iter().filter(|it| matches!(it, Segment::Literal(_))).count();
        let literals = words + usize::from(query.is_some());
        Route { service, operation: number, method: operation.method, segments, query, literals }
    }

    fn matches(&self, uri: &Uri) -> Option<Labels> {
        if let Some(wanted) = self.query {
            uri.query()?.split('&').find(|pair| *pair == wanted)?;
        }
        let mut labels = Labels::new();
        let mut rest = uri.path().trim_start_matches('/');
        for segment in &self.segments {
            if rest.is_empty() {
                return None;
            }
            let (part, behind) = rest.split_once('/').unwrap_or((rest, ""));
            match segment {
                Segment::Literal(literal) if *literal == part => rest = behind,
                Segment::Literal(_) => return None,
                Segment::Label(name) => {
                    labels.push((name, decode(part)));
                    rest = behind;
                }
                Segment::Rest(name) => {
                    labels.push((name, decode(rest)));
                    return Some(labels);
                }
            }
        }
        rest.is_empty().then_some(labels)
    }
}

fn segment(text: &'static str) -> Segment {
    match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
        Some(label) => match label.strip_suffix('+') {
            Some(label) => Segment::Rest(label),
            None => Segment::Label(label),
        },
        None => Segment::Literal(text),
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// The pairs of a query string, decoded, in order.
pub(crate) fn query_pairs(uri: &Uri) -> Vec<(String, String)> {
    let query = uri.query().unwrap_or_default();
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(&name.replace('+', " ")), decode(&value.replace('+', " ")))
        })
        .collect()
}
