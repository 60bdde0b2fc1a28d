/// Why a scripted connection failed: an expected event did not happen, or another one did.
public struct ScriptError: Error, Hashable, CustomStringConvertible {
    /// What was expected and what happened, in one sentence.
    public let description: String

    init(_ description: String) { self.description = description }
}
