//! `[stack] template`: the user's own stack, read from its file.

use protocol::chain;
use toml::Spanned;

use super::super::file::File;
use super::super::own_stack::OwnStack;
use super::Check;

impl Check<'_> {
    /// The stack of the template, if the file names one that can be read.
    pub(super) fn own_stack(&mut self, file: &File) -> Option<OwnStack> {
        let Some(template) = &file.stack.template else {
            let only_with = [("parameters", file.stack.parameters.is_empty()), ("layers", file.stack.layers.is_empty())];
            for (key, _) in only_with.into_iter().filter(|(_, is_empty)| !is_empty) {
                self.missing(0..0, &format!("`{key}` belong to a template; write `template = \"template.yaml\"` under `[stack]`"));
            }
            return None;
        };
        self.alone(file, template);
        let path = match template::find::find(&self.folder.join(template.get_ref())) {
            Ok(found) => found.file,
            Err(error) => {
                self.complain(template.span(), chain(&error));
                return None;
            }
        };
        match OwnStack::read(&path, &file.stack.parameters, None, &file.stack.layers) {
            Ok(own) => Some(own),
            Err(error) => {
                if error.complaints().is_empty() {
                    self.complain(template.span(), chain(&error));
                }
                for complaint in error.complaints() {
                    self.complain(template.span(), format!("`{}`: {complaint}", template.get_ref().display()));
                }
                None
            }
        }
    }

    /// One experiment is on one kind of stack.
    fn alone<T>(&mut self, file: &File, template: &Spanned<T>) {
        if !file.systems.is_empty() {
            self.complain(template.span(), "`template` is in place of `systems`; remove one of them");
        }
        if !file.sends_requests() {
            self.missing(template.span(), "nothing is sent to the stack; add `[[journey]]` or `[[load.requests]]`");
        }
    }
}
