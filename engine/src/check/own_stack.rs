//! `[stack] template`: the user's own stack, read from its file.

use protocol::chain;
use stack::services::elsewhere::{self, Addresses, NoSuchAddress};
use toml::Spanned;

use super::super::file::File;
use super::super::own_stack::OwnStack;
use super::Check;
use crate::nearest::there_are;

impl Check<'_> {
    /// The stack of the template, if the file names one that can be read.
    pub(super) fn own_stack(&mut self, file: &File) -> Option<OwnStack> {
        let Some(template) = &file.stack.template else {
            let File { stack, .. } = file;
            let only_with = [
                ("parameters", stack.parameters.is_empty()),
                ("layers", stack.layers.is_empty()),
                ("services", stack.services.is_empty()),
                ("public-services", stack.public_services.is_empty()),
            ];
            for (key, _) in only_with.into_iter().filter(|(_, is_empty)| !is_empty) {
                self.missing(0..0, &format!("`{key}` belong to a template; write `template = \"template.yaml\"` under `[stack]`"));
            }
            return None;
        };
        self.alone(file, template);
        let elsewhere = self.elsewhere(file);
        let path = match template::find::find(&self.folder.join(template.get_ref())) {
            Ok(found) => found.file,
            Err(error) => {
                self.complain(template.span(), chain(&error));
                return None;
            }
        };
        match OwnStack::read(&path, &file.stack.parameters, None, &file.stack.layers) {
            Ok(own) => Some(OwnStack { elsewhere, ..own }),
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

    /// The services that run somewhere else.
    fn elsewhere(&mut self, file: &File) -> Addresses {
        let (mut all, public) = (Addresses::default(), &file.stack.public_services);
        for (name, address) in &file.stack.services {
            let is_public = public.iter().any(|public| public.get_ref() == name);
            match all.add(name, address.get_ref(), is_public) {
                Ok(()) => self.notices.extend(all.notice(name)),
                Err(wrong @ NoSuchAddress::Unknown(_)) => {
                    let there = there_are(name, elsewhere::names(), "docs/own-stack.md lists them");
                    self.complain(address.span(), format!("{wrong} that can be somewhere else; {there}"));
                }
                Err(wrong) => self.complain(address.span(), wrong.to_string()),
            }
        }
        for name in public.iter().filter(|name| !file.stack.services.contains_key(name.get_ref())) {
            let there = there_are(name.get_ref(), file.stack.services.keys().map(String::as_str), "`[stack.services]` has them");
            self.complain(name.span(), format!("`[stack.services]` has no `{}`; {there}", name.get_ref()));
        }
        all
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
