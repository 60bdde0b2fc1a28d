/// Why a script cannot go on: what it waited for did not come, or something else did.
public struct ScriptError: Error, Hashable, CustomStringConvertible {
    /// What was expected and what happened, in one sentence.
    public let description: String

    init(_ description: String) { self.description = description }
}
