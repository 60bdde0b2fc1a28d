#if AWS
import CurlewCore

/// An AWS access key, which signs requests to AWS. Descriptions and dumps show only the access key ID. Needs the package
/// trait `AWS`, which is enabled by default.
public struct AWSCredentials: Sendable, Hashable, CustomStringConvertible {
    /// The access key ID, such as `AKIAIOSFODNN7EXAMPLE`. It is not a secret.
    public var accessKeyID: String
    /// The secret access key.
    public var secretAccessKey: String {
        get { self.secret.value }
        set { self.secret.value = newValue }
    }
    /// The session token of temporary credentials; `nil` for those of a user.
    public var sessionToken: String? {
        get { self.token?.value }
        set { self.token = newValue.map { Redacted($0) } }
    }
    private var secret: Redacted<String>
    private var token: Redacted<String>?

    /// Creates credentials.
    ///
    /// - Parameters:
    ///   - accessKeyID: The access key ID.
    ///   - secretAccessKey: The secret access key.
    ///   - sessionToken: The session token of temporary credentials. Default: `nil`.
    public init(accessKeyID: String, secretAccessKey: String, sessionToken: String? = nil) {
        self.accessKeyID = accessKeyID
        self.secret = Redacted(secretAccessKey)
        self.token = sessionToken.map { Redacted($0) }
    }

    /// The access key ID.
    public var description: String { "AWS access key \(self.accessKeyID.printable)" }
}

extension AWSCredentials {
    /// One of the three items of credentials.
    enum Item: CaseIterable {
        case accessKeyID
        case secretAccessKey
        case sessionToken

        /// Its name in the documentation.
        var noun: String {
            switch self {
            case .accessKeyID: "access key ID"
            case .secretAccessKey: "secret access key"
            case .sessionToken: "session token"
            }
        }
    }

    /// Throws if an item cannot be one of AWS, for example because it was copied with a line break.
    ///
    /// - Parameter subject: How to name an item at the beginning of a sentence.
    func validated(subject: (Item) -> String) throws(MQTTError) -> Self {
        let items: [(Item, String?)] = [
            (.accessKeyID, self.accessKeyID), (.secretAccessKey, self.secretAccessKey),
            (.sessionToken, self.sessionToken),
        ]
        for case (let item, let value?) in items {
            guard !value.isEmpty else { throw .awsCredentials("\(subject(item)) is empty.") }
            guard value.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
                throw .awsCredentials(
                    "\(subject(item)) contains white space or a character outside ASCII; copy it again.")
            }
        }
        return self
    }
}

extension MQTTError {
    /// - Parameter message: One sentence without secrets.
    static func awsCredentials(_ message: String) -> Self { Self(.authenticationFailed, message) }
}
#endif
