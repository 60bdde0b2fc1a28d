#if Accounts
import CurlewCore

/// The content of a password file, prepared for checks.
struct PasswordTable: Sendable {
    private var hashes: [ExactText: PasswordHash] = [:]
    /// The same hashes, for users who do not exist.
    private var standIns: [PasswordHash] = []

    /// - Parameters:
    ///   - text: The content of the file.
    ///   - name: The name of the file at the beginning of error messages.
    init(_ text: String, name: String) throws(MQTTBrokerError) {
        let lines = TextLines(text, name: name)
        var numbers: [ExactText: Int] = [:]
        for line in lines {
            guard case .user(let user, let rest) = try PasswordLine(line, in: lines) else { continue }
            if let number = numbers.updateValue(line.number, forKey: user) {
                throw lines.error(
                    line,
                    "the user '\(user.string.printable)' is in line \(number) already; remove one of the two.")
            }
            let hash = try PasswordLine.hash(rest, of: user, line, in: lines)
            self.hashes[user] = hash
            self.standIns.append(hash)
        }
    }

    /// The hash to check a password by, and whether the result counts. For a user that does not exist, it is the hash
    /// of another user, always the same one for the same name. So the time of an answer does not reveal whether a user
    /// exists, even if some hashes take longer than others. `nil` if there are no users at all.
    func hash(of user: ExactText) -> (hash: PasswordHash, isKnown: Bool)? {
        if let hash = self.hashes[user] { return (hash, true) }
        guard !self.standIns.isEmpty else { return nil }
        // Hash values of the standard library depend on a secret of the process.
        let place = Int(UInt(bitPattern: user.hashValue) % UInt(self.standIns.count))
        return (self.standIns[place], false)
    }
}
#endif
