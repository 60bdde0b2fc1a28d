#if Tools
extension Int {
    /// The number with what it counts, as in "1 line" and "2 lines".
    func counted(_ noun: String) -> String { "\(self) \(noun)\(self == 1 ? "" : "s")" }
}
#endif
