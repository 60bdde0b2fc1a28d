#if Accounts
import CurlewCore

/// The lines of a password file, to change and write it. Comments, the order and other users are preserved.
package struct MQTTPasswordEntries: Sendable {
    /// A line of the file, and its user.
    private struct Entry {
        var user: ExactText?
        var line: String
    }

    private var entries: [Entry] = []

    /// The default number of iterations of a hash: some milliseconds of work, so that a thousand devices that reconnect
    /// at once are served within seconds. With mosquitto_passwd's 101, passwords would be a hundred times easier to
    /// guess.
    package static let defaultIterations = 10_000
    /// The possible numbers of iterations.
    package static let iterationLimits = 1...PasswordHash.maximumIterations

    private static let saltLength = 12

    /// Creates a file without users.
    package init() {}

    /// The number of users.
    package var count: Int { self.entries.count { $0.user != nil } }

    /// Parses the lines of a file.
    ///
    /// - Parameters:
    ///   - text: The content of the file.
    ///   - path: The path of the file, for errors.
    /// - Throws: ``MQTTBrokerError`` for a line that is neither a user nor a comment.
    package init(text: String, path: String) throws(MQTTBrokerError) {
        let lines = TextLines(text, name: "The password file '\(path)'")
        for line in lines {
            var user: ExactText?
            if case .user(let name, _) = try PasswordLine(line, in: lines) { user = name }
            self.entries.append(Entry(user: user, line: String(Substring(line.text))))
        }
    }

    /// The content of the file.
    package var text: String { self.entries.map { $0.line + "\n" }.joined() }

    /// Why a text cannot be a user name in such a file, in one sentence; `nil` if it can.
    package static func problem(inUser name: String) -> String? {
        let bytes = name.utf8
        if bytes.isEmpty { return "A user name must have at least one character." }
        if bytes.count > 65_535 { return "A user name has at most 65535 bytes." }
        if bytes.contains(UInt8(ascii: ":")) { return "A user name cannot contain ':', which ends it in the file." }
        if bytes.first == UInt8(ascii: "#") { return "A user name cannot begin with '#', which begins a comment." }
        if bytes.contains(where: { $0 < 0x20 || $0 == 0x7F }) {
            return "A user name cannot contain line ends and other control characters."
        }
        if bytes.first?.isBlank == true || bytes.last?.isBlank == true {
            return "A user name cannot begin or end with a space, which the file does not keep."
        }
        return nil
    }

    /// Whether the user exists.
    package func contains(_ user: String) -> Bool { self.entries.contains { $0.user == ExactText(user) } }

    /// Sets the password of a user; a new user is appended. Slow on purpose.
    package mutating func set(_ user: String, password: [UInt8], iterations: Int) throws(MQTTBrokerError) {
        if let problem = Self.problem(inUser: user) { throw MQTTBrokerError(.invalidArgument, problem) }
        let name = ExactText(user)
        let entry = try Self.entry(name, password, iterations)
        guard let place = self.entries.firstIndex(where: { $0.user == name }) else {
            self.entries.append(entry)
            return
        }
        self.remove(user)
        self.entries.insert(entry, at: place)
    }

    /// Removes a user.
    ///
    /// - Returns: Whether there was one.
    @discardableResult
    package mutating func remove(_ user: String) -> Bool {
        let count = self.entries.count
        self.entries.removeAll { $0.user == ExactText(user) }
        return self.entries.count < count
    }

    /// Hashes passwords that are stored in plain text. Slow on purpose.
    ///
    /// - Parameter path: The path of the file, for errors.
    /// - Returns: How many passwords were hashed.
    /// - Throws: ``MQTTBrokerError`` for a damaged hash, which would otherwise be taken for a password.
    package mutating func hashPlainText(iterations: Int, path: String) throws(MQTTBrokerError) -> Int {
        let lines = TextLines(self.text, name: "The password file '\(path)'")
        var count = 0
        for line in lines {
            guard case .user(let user, let password) = try PasswordLine(line, in: lines) else { continue }
            if ["$6$", "$7$"].contains(where: password.hasPrefix) {
                _ = try PasswordLine.hash(password, of: user, line, in: lines)
            } else {
                self.entries[line.number - 1] = try Self.entry(user, Array(password.utf8), iterations)
                count += 1
            }
        }
        return count
    }

    private static func entry(
        _ user: ExactText, _ password: [UInt8], _ iterations: Int
    ) throws(MQTTBrokerError) -> Entry {
        var generator = SystemRandomNumberGenerator()
        let salt = (0..<Self.saltLength).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        do throws(PasswordHash.Problem) {
            let hash = try PasswordHash(password, .pbkdf2(iterations: iterations), salt: salt)
            return Entry(user: user, line: "\(user.string):\(hash.text)")
        } catch {
            throw MQTTBrokerError(
                .invalidArgument, "The password of '\(user.string.printable)' \(error.description).", cause: error)
        }
    }
}
#endif
