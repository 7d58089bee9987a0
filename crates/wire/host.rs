//! Buckets in host names. Signatures and S3 must read a host alike: what is signed for one bucket must
//! not be answered from another.

/// The bucket in `BUCKET.s3.DOMAIN[:port]` and `BUCKET.s3.REGION.DOMAIN[:port]`.
pub fn host_bucket(host: &str, domains: &[String]) -> Option<String> {
    let host = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let host = host.to_ascii_lowercase();
    let inside = domains.iter().find_map(|domain| host.strip_suffix(domain)?.strip_suffix('.'))?;
    let with_region = || inside.rsplit_once('.').map(|(front, _region)| front);
    let bucket = inside.strip_suffix(".s3").or_else(|| with_region()?.strip_suffix(".s3"))?;
    Some(bucket.to_owned())
}
