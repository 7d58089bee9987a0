//! Who we are to a registry: what the settings say, else what `docker login` has kept for this user
//! (`~/.docker/config.json`, or the helper program that it names), else nobody.

use docker_credential::DockerCredential;
use oci_client::secrets::RegistryAuth;

use crate::Settings;

/// May start a helper program, and waits for it.
pub(crate) async fn find(registry: &str, settings: &Settings) -> RegistryAuth {
    if let Some(given) = settings.credentials.get(registry) {
        return RegistryAuth::Basic(given.username.clone(), given.password.clone());
    }
    let named = registry.to_owned();
    let kept = tokio::task::spawn_blocking(move || docker_credential::get_credential(&named));
    match kept.await {
        Ok(Ok(DockerCredential::UsernamePassword(user, password))) => {
            RegistryAuth::Basic(user, password)
        }
        Ok(Ok(DockerCredential::IdentityToken(token))) => RegistryAuth::Bearer(token),
        Ok(Err(error)) => {
            tracing::debug!(%error, registry, "no credentials kept");
            RegistryAuth::Anonymous
        }
        Err(error) => {
            tracing::warn!(%error, registry, "looking for credentials failed");
            RegistryAuth::Anonymous
        }
    }
}
