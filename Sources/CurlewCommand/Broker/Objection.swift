#if Tools
/// An error in a value: one sentence, without the place.
struct Objection: Error, Equatable {
    let sentence: String

    init(_ sentence: String) { self.sentence = sentence }
}
#endif
