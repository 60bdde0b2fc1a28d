#if Accounts
import CryptoExtras
import CurlewTransport

/// A hashed password in one of the two forms of mosquitto_passwd.
struct PasswordHash: Sendable, Hashable {
    enum Algorithm: Sendable, Hashable {
        /// `$6$`: one SHA-512 of password and salt, as mosquitto_passwd wrote it up to version 1.6. Quick to guess, so
        /// it is read but never written.
        case sha512
        /// `$7$`: PBKDF2 with HMAC-SHA-512.
        case pbkdf2(iterations: Int)
    }

    let algorithm: Algorithm
    let salt: [UInt8]
    let hash: [UInt8]

    /// What is wrong with the text of a hash, as the rest of a sentence.
    struct Problem: Error, Equatable {
        let description: String

        static let plainText = Self(description: "is in plain text")
        static let damaged = Self(description: "is damaged")
    }

    /// More iterations would take longer than clients wait.
    static let maximumIterations = 10_000_000
    /// The length of a SHA-512 hash in bytes.
    private static let length = 64
    private static let saltLengths = 1...64

    /// Hashes a password.
    init(_ password: [UInt8], _ algorithm: Algorithm, salt: [UInt8]) throws(Problem) {
        self.algorithm = algorithm
        self.salt = salt
        self.hash = try Self.hash(password, algorithm, salt)
    }

    /// Parses the text after the user name: `$7$iterations$salt$hash` or `$6$salt$hash`.
    init(text: String) throws(Problem) {
        let fields = text.split(separator: "$", omittingEmptySubsequences: false).map(String.init)
        guard fields.count > 1, fields[0].isEmpty else { throw .plainText }
        switch (fields[1], fields.count) {
        case ("7", 5):
            guard let iterations = Int(fields[2]), (1...Self.maximumIterations).contains(iterations) else {
                throw Problem(description: "has a number of iterations that is not 1 to \(Self.maximumIterations)")
            }
            self.algorithm = .pbkdf2(iterations: iterations)
        case ("6", 4): self.algorithm = .sha512
        case ("6", _), ("7", _): throw .damaged
        default: throw Problem(description: "is neither of the form $7$ nor $6$")
        }
        guard let salt = Base64.decode(fields[fields.count - 2]), Self.saltLengths.contains(salt.count),
            let hash = Base64.decode(fields[fields.count - 1]), hash.count == Self.length
        else { throw .damaged }
        self.salt = salt
        self.hash = hash
    }

    /// The hash as it is written in a file.
    var text: String {
        let prefix =
            switch self.algorithm {
            case .sha512: "$6$"
            case .pbkdf2(let iterations): "$7$\(iterations)$"
            }
        return "\(prefix)\(Base64.encode(self.salt))$\(Base64.encode(self.hash))"
    }

    /// Whether this is the password. Slow on purpose, and equally slow for wrong passwords.
    func verifies(_ password: [UInt8]) -> Bool {
        guard let hash = try? Self.hash(password, self.algorithm, self.salt) else { return false }
        return Self.areEqual(hash, self.hash)
    }

    private static func hash(
        _ password: [UInt8], _ algorithm: Algorithm, _ salt: [UInt8]
    ) throws(Problem) -> [UInt8] {
        switch algorithm {
        case .sha512:
            return Array(SHA512.hash(data: password + salt))
        case .pbkdf2(let iterations):
            do {
                let key = try KDF.Insecure.PBKDF2.deriveKey(
                    from: password, salt: salt, using: .sha512, outputByteCount: Self.length,
                    unsafeUncheckedRounds: iterations)
                return key.withUnsafeBytes { Array($0) }
            } catch {
                throw Problem(description: "could not be hashed (\(error))")
            }
        }
    }

    /// Compares in constant time.
    private static func areEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        var difference: UInt8 = 0
        for (one, other) in zip(left, right) { difference |= one ^ other }
        return difference == 0
    }
}
#endif
