//! Words that messages are made of, as opposed to names of the things that they are about.

/// In order, one space between.
const WORDS: &str = "\
    a abort aborted about above accept accepted access account action active actual add added address admin \
    after again age agent all allocate allow allowed already also always am amount an and another answer \
    any api app application are argument array as assert asset at attempt auth available away axis back \
    backend backup bad balance base basket batch be because bed been before begin below between bid big \
    birth birthday body book booking bool boolean boot both bottom bound bounds branch broken broker bucket \
    buffer bug build bus busy but buyer by byte bytes cache call callback can cancel canceled cancelled \
    cannot card cart case cell certificate change channel char check checkout city claim class clean clear \
    client clock close closed cloud cluster code collection color colour column command comment commit \
    complete component config configuration conflict connect connected connection consumer container \
    content context contract control convert cookie copy core corrupt could count country course crash \
    create created credentials current customer daemon data database date day dead deal debug decimal \
    decode default delete deleted deliver delivery demand denied dependency deploy depth device dict did \
    different digit dimension directory disabled disconnect discount disk dispatch distance divide do \
    doctor document does domain done door dose double down download driver drop drug due duplicate during \
    each edge email empty enabled encode encrypt end endpoint engine enough entity entry environment error \
    errors even event every exam exceeded exception exec execute exist existing exists exit expected \
    expired exponent export external fail failed failing failure false far fast fatal feature fee fetch few \
    field file files filter find fine finish first flight float flush folder for forbidden format found \
    frame free from front frontend full function gate gateway get give given global go gone got grade graph \
    group had handle handler has have header health heap height here high hook host hotel hour how id image \
    import in inactive incoming index information init initialize inner input insert inside install \
    instance insufficient integer interest internal into invalid invoice is issue it item its job join json \
    keep key kill kind known lane language large last late latitude layer leader leaf lease left length \
    less lesson letter level library license like limit line link list listen load loan local lock locked \
    log login logout long longitude loop lost low lower mail main make manager many map mark master match \
    matrix max maximum may media member memory merge message metadata metric migration min minimum minute \
    missing mode model module monitor month more most move much multiple multiply must name native near \
    negate negative network new next nil no node none normal not note nothing notification null number nurse \
    object odd of off offer offline offset ok old on once one only open operation option or order other out \
    outer output outside over overflow own owner package page parameter parent parse part partition \
    passenger password path patient payload payment peer pending per permission phone pipe pipeline pixel \
    plan plugin point pointer policy pool port positive post prefix prepare price primary process produce \
    producer product profile program project property protocol provider proxy publish put quantity query \
    queue quota range rank rate raw reach read ready real rear received receiver recipient record redirect \
    refresh refused region register reject rejected relation reload remainder remote remove removed rename \
    render replica reply report request require required reservation reset resolve resource respond \
    response restart restore result retry return returned right road role rollback room root route row rule \
    run running runtime salary save schedule schema scope script search seat second secondary secret \
    section secure segment seller send sender sent sentence sequence serialize server service session set \
    settings setup shape shard shared shelf shift should shut shutdown sibling sign signal single site size \
    slice slow snapshot so socket some sort source space spec speed split stack stage stale start started \
    state status step still stock stop stopped storage store stream street string student subject subscribe \
    subscription subtract success such sum summary supply support swap sync syntax system table tag target \
    task tax teacher temperature template temporary tenant test text than that the their them then there \
    these they third this thread ticket time timeout timer tip title to token too top topic total trace \
    track traffic transaction transfer transport tree trip truck true try tuple turn two type unable \
    unavailable undefined underflow unexpected unit unknown unlock unreachable unsupported until up update \
    updated upload upper upstream url usage use used user using valid validate validation value variable \
    vector vendor verify version vertex very via view violation volume wage wait waiting ward warehouse \
    warning was watch we web webhook week weight when where while width will window with within without \
    word work worker workflow would write wrong year yes yet you your zero zip zone";

/// Ends of words that no list holds in full: what is done, was done, or how.
const ENDS: [&str; 8] = ["ing", "ed", "ion", "ions", "ment", "able", "ible", "ly"];

/// Whether it is a word of a message rather than the name of something. A placeholder is no word.
pub(super) fn is_word(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let singular = lower.strip_suffix('s').unwrap_or(&lower);
    let listed = WORDS.split(' ').any(|word| word == lower || word == singular);
    listed || (lower.len() > 4 && ENDS.iter().any(|end| lower.ends_with(end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_from_names() {
        for word in ["read", "Write", "sockets", "deletion", "slowly", "order"] {
            assert!(is_word(word), "{word}");
        }
        for name in ["ann", "frantz", "carla.meier", "<id>", "eu-west", "Zoë"] {
            assert!(!is_word(name), "{name}");
        }
    }
}
