#if Accounts
import CurlewCore

/// What a password file says, made ready for questions.
struct PasswordTable: Sendable {
    private var hashes: [ExactText: PasswordHash] = [:]
    /// The same hashes, for users who do not exist.
    private var standIns: [PasswordHash] = []

    /// - Parameters:
    ///   - text: What stands in the file.
    ///   - name: What the file is called in errors, at the beginning of a sentence.
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

    /// What to check a password by, and whether its result counts. For a user who does not exist it is the hash of another one, always
    /// the same for the same name, so that the time of the answer does not tell who exists, even where some hashes take longer than
    /// others. `nil` when there are no users at all.
    func hash(of user: ExactText) -> (hash: PasswordHash, isKnown: Bool)? {
        if let hash = self.hashes[user] { return (hash, true) }
        guard !self.standIns.isEmpty else { return nil }
        // Hashes of the standard library have a secret of the process in them.
        let place = Int(UInt(bitPattern: user.hashValue) % UInt(self.standIns.count))
        return (self.standIns[place], false)
    }
}
#endif
