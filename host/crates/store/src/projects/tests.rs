use crate::testing::{Fixture, NOW};

#[tokio::test]
async fn a_directory_keeps_its_project_and_names_are_made_unique() {
    let f = Fixture::new();
    let mut names = Vec::new();
    for root in ["/a/shop", "/b/shop", "/c/shop", "/a/shop"] {
        let project = f.store.ensure_project(root, "shop", NOW).await.unwrap();
        assert_eq!(project.root, root);
        names.push((project.id, project.name));
    }
    let expected = [(1, "shop"), (2, "shop-2"), (3, "shop-3"), (1, "shop")];
    assert_eq!(names, expected.map(|(id, name)| (id, name.to_owned())));
    assert_eq!(f.store.projects().await.unwrap().len(), 3);
}
