#if Tools
/// What is wrong with a value, in one sentence that does not say where it stands.
struct Objection: Error, Equatable {
    let sentence: String

    init(_ sentence: String) { self.sentence = sentence }
}
#endif
