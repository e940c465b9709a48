//! The switch's configuration and its directory of users.
//! Both come as trees that we copy out of and free at once.

use super::event::Event;
use super::text::{c, copied, taken};
use crate::ffi;
use crate::groups::config::Element;
use std::ptr;

struct Tree(ffi::switch_xml_t);

impl Drop for Tree {
    fn drop(&mut self) {
        // SAFETY: an open tree of ours, freed once.
        unsafe { ffi::switch_xml_free(self.0) };
    }
}

/// The `name` and `value` of every `<item>` in `<list>` below `node`.
///
/// # Safety
/// `node` is NULL or belongs to a living tree.
unsafe fn pairs(node: ffi::switch_xml_t, list: &str, item: &str) -> Vec<(String, String)> {
    let (list, item) = (c(list), c(item));
    let mut found = Vec::new();
    if node.is_null() {
        return found;
    }
    // SAFETY: children and attributes live as long as their tree; they are copied here.
    unsafe {
        let list = ffi::switch_xml_child(node, list.as_ptr());
        if list.is_null() {
            return found;
        }
        let mut child = ffi::switch_xml_child(list, item.as_ptr());
        while !child.is_null() {
            let attribute =
                |name: &std::ffi::CStr| copied(ffi::switch_xml_attr(child, name.as_ptr()));
            if let Some(name) = attribute(c"name") {
                found.push((name, attribute(c"value").unwrap_or_default()));
            }
            child = (*child).next;
        }
    }
    found
}

/// A configuration file: its params, and everything in it as a tree.
#[derive(Debug, Default)]
pub struct Configuration {
    pub params: Vec<(String, String)>,
    pub elements: Vec<Element>,
}

/// A configuration file such as `cti.conf`; `None` where there is none.
pub fn configuration(file: &str) -> Option<Configuration> {
    let file = c(file);
    let mut configuration = ptr::null_mut();
    // SAFETY: on success the tree is ours to free, and `configuration` is a node of it.
    unsafe {
        let tree = ffi::switch_xml_open_cfg(file.as_ptr(), &mut configuration, ptr::null_mut());
        if tree.is_null() {
            return None;
        }
        let _tree = Tree(tree);
        Some(Configuration {
            params: pairs(configuration, "settings", "param"),
            elements: children(configuration, DEPTH),
        })
    }
}

/// How deep a configuration is copied; nothing of ours lies deeper.
const DEPTH: usize = 8;

/// The elements within `node`, in the order of the file.
///
/// # Safety
/// `node` is NULL or belongs to a living tree.
unsafe fn children(node: ffi::switch_xml_t, depth: usize) -> Vec<Element> {
    let mut found = Vec::new();
    if node.is_null() || depth == 0 {
        return found;
    }
    // SAFETY: nodes, names and attributes live as long as their tree, and are copied here. `ordered`
    // leads from each child to the next one in the file. Attributes are names and values in turn, up
    // to a NULL.
    unsafe {
        let mut child = (*node).child;
        while !child.is_null() {
            let mut attributes = Vec::new();
            let mut pair = (*child).attr;
            while !pair.is_null() && !(*pair).is_null() {
                let value = copied(*pair.add(1)).unwrap_or_default();
                attributes.push((copied(*pair).unwrap_or_default(), value));
                pair = pair.add(2);
            }
            found.push(Element {
                name: copied((*child).name).unwrap_or_default(),
                attributes,
                children: children(child, depth - 1),
            });
            child = (*child).ordered;
        }
    }
    found
}

/// What the switch puts in the place of `${…}` for everybody; `None` where that is nothing.
pub fn global(name: &str) -> Option<String> {
    let expanded = Event::variables()?.expand(&format!("${{{name}}}"));
    Some(expanded).filter(|value| !value.is_empty())
}

/// A user of the directory, with the params and variables of group and domain merged in.
#[derive(Debug, Default)]
pub struct User {
    pub id: String,
    pub params: Vec<(String, String)>,
    pub variables: Vec<(String, String)>,
}

/// `None`: the directory has no such user. `request` may carry what a dynamic directory
/// (mod_xml_curl) wants to know.
pub fn user(name: &str, domain: &str, request: &Event) -> Option<User> {
    let (name, domain) = (c(name), c(domain));
    let mut found = ptr::null_mut();
    // SAFETY: strings and event live during the call; on success the tree is ours to free.
    unsafe {
        let status = ffi::switch_xml_locate_user_merged(
            c"id".as_ptr(),
            name.as_ptr(),
            domain.as_ptr(),
            ptr::null(),
            &mut found,
            request.as_ptr(),
        );
        if status != ffi::SWITCH_STATUS_SUCCESS || found.is_null() {
            return None;
        }
        let tree = Tree(found);
        Some(User {
            id: copied(ffi::switch_xml_attr(tree.0, c"id".as_ptr())).unwrap_or_default(),
            params: pairs(tree.0, "params", "param"),
            variables: pairs(tree.0, "variables", "variable"),
        })
    }
}

/// The members of a directory's group, in order: their ids, and the dial string that the directory
/// has for them as members. `None`: there is no such group.
///
/// As core's `group_call`: the user's own params outrank the group's, those the domain's, and in
/// each `group-dial-string` outranks `dial-string`.
pub fn group(name: &str, domain: &str) -> Option<Vec<(String, Option<String>)>> {
    let request = || {
        let mut request = Event::request()?;
        request.add("group", name);
        request.add("domain", domain);
        request.add("action", "group_call");
        Some(request)
    };
    let about = request()?;
    let (name_of, domain_of) = (c(name), c(domain));
    let (mut root, mut of_domain, mut found) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    // SAFETY: strings and event live during the call; a tree that was found is ours to free, also
    // where it has no such group; its nodes and attributes live as long and are copied here.
    unsafe {
        let status = ffi::switch_xml_locate_group(
            name_of.as_ptr(),
            domain_of.as_ptr(),
            &mut root,
            &mut of_domain,
            &mut found,
            about.as_ptr(),
        );
        let _tree = (!root.is_null()).then(|| Tree(root));
        if status != ffi::SWITCH_STATUS_SUCCESS || found.is_null() {
            return None;
        }
        let dial_string = |node| member_dial_string(pairs(node, "params", "param"));
        let general = dial_string(found).or_else(|| dial_string(of_domain));
        let mut members = Vec::new();
        let mut node = ffi::switch_xml_child(found, c"users".as_ptr());
        if !node.is_null() {
            node = ffi::switch_xml_child(node, c"user".as_ptr());
        }
        while !node.is_null() {
            let attribute =
                |name: &std::ffi::CStr| copied(ffi::switch_xml_attr(node, name.as_ptr()));
            let id = attribute(c"id").unwrap_or_default();
            let own = if attribute(c"type").as_deref() == Some("pointer") {
                let known = user(&id, domain, &request()?);
                known.map(|user| member_dial_string(user.params))
            } else {
                Some(dial_string(node))
            };
            // A pointer to nobody is no member.
            if let Some(own) = own {
                members.push((id, own.or_else(|| general.clone())));
            }
            node = (*node).next;
        }
        Some(members)
    }
}

fn member_dial_string(params: Vec<(String, String)>) -> Option<String> {
    let named = |name: &str| {
        let mut params = params.iter().rev();
        params.find(|(param, _)| param.eq_ignore_ascii_case(name))
    };
    let found = named("group-dial-string").or_else(|| named("dial-string"));
    found.map(|(_, value)| value.clone())
}

/// The switch's default domain.
pub fn default_domain() -> Option<String> {
    // SAFETY: with TRUE the string is a copy for us.
    unsafe { taken(ffi::switch_core_get_domain(ffi::SWITCH_TRUE)) }
}
