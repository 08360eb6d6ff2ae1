//! The section `docker_env`.

use super::node::Node;
use super::{DockerEnvironment, Error};
use crate::pyyaml::Object;

impl DockerEnvironment {
    /// What MLflow asks of the section: an image, texts as volumes, names or pairs as variables.
    pub(super) fn parse(docker: &Node) -> Result<DockerEnvironment, Error> {
        const IMAGE: &str = "a mapping with a key `image`";
        docker.entries(IMAGE)?;
        let image = docker
            .get_if_true("image")
            .map(|image| image.value().to_string());
        let variables = match docker.get_if_true("environment") {
            None => Vec::new(),
            Some(list) => {
                let items = list.value().as_list().map(|items| items.iter());
                let parsed = items.and_then(|items| items.map(variable).collect());
                parsed.ok_or_else(|| list.shape("a list of names and of pairs `[NAME, value]`"))?
            }
        };
        Ok(DockerEnvironment {
            image: image.ok_or_else(|| docker.shape(IMAGE))?,
            volumes: docker.texts_of("volumes", "a list of texts such as `/from:/to`")?,
            variables,
        })
    }
}

fn variable(item: &Object) -> Option<(String, Option<String>)> {
    if let Some(name) = item.as_str() {
        return Some((name.to_owned(), None));
    }
    let [name, value, ..] = item.as_list()? else {
        return None;
    };
    Some((name.to_string(), Some(value.to_string())))
}
