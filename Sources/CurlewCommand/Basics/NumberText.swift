#if Tools
extension Int {
    /// The number with its noun, as in "1 line" and "2 lines".
    func counted(_ noun: String) -> String { "\(self) \(noun)\(self == 1 ? "" : "s")" }

    /// With a comma between thousands.
    var grouped: String {
        var digits = Array(String(self.magnitude))
        var place = digits.count - 3
        while place > 0 {
            digits.insert(",", at: place)
            place -= 3
        }
        return (self < 0 ? "-" : "") + String(digits)
    }
}

extension Double {
    /// With this many digits after the decimal point.
    func decimal(_ digits: Int) -> String {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = (self * scale).rounded()
        guard scaled.magnitude < 9e15 else { return "\(self)" }
        let text = String(Int(scaled.magnitude))
        let padded = String(repeating: "0", count: max(0, digits + 1 - text.count)) + text
        return (scaled < 0 ? "-" : "") + padded.dropLast(digits) + (digits > 0 ? "." + padded.suffix(digits) : "")
    }
}
#endif
