#if AWS
import CurlewCore

/// Environment variables of AWS's tools. Empty ones count as not set.
struct AWSEnvironment: Sendable {
    static let accessKeyID = "AWS_ACCESS_KEY_ID"
    static let secretAccessKey = "AWS_SECRET_ACCESS_KEY"
    static let sessionToken = "AWS_SESSION_TOKEN"
    static let profile = "AWS_PROFILE"
    static let credentialsFile = "AWS_SHARED_CREDENTIALS_FILE"
    static let configFile = "AWS_CONFIG_FILE"
    static let home = "HOME"

    /// Variables that ask for credentials which other programs hand out.
    private static let unsupported = [
        "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ]

    static let names =
        [
            Self.accessKeyID, Self.secretAccessKey, Self.sessionToken, Self.profile, Self.credentialsFile,
            Self.configFile,
        ]
        + [Self.home] + Self.unsupported

    private let values: Redacted<[String: String]>

    init(_ values: [String: String]) {
        self.values = Redacted(values.filter { !$0.value.isEmpty && Self.names.contains($0.key) })
    }

    subscript(_ name: String) -> String? { self.values.value[name] }

    /// The credentials; `nil` if none of the variables is set.
    func credentials() throws(MQTTError) -> AWSCredentials? {
        let names = [Self.accessKeyID, Self.secretAccessKey, Self.sessionToken]
        guard let first = names.first(where: { self[$0] != nil }) else { return nil }
        guard let accessKeyID = self[Self.accessKeyID] else { throw Self.incomplete(first, missing: Self.accessKeyID) }
        guard let secret = self[Self.secretAccessKey] else {
            throw Self.incomplete(first, missing: Self.secretAccessKey)
        }
        let credentials = AWSCredentials(
            accessKeyID: accessKeyID, secretAccessKey: secret, sessionToken: self[Self.sessionToken])
        return try credentials.validated { "The environment variable \(Self.name(of: $0))" }
    }

    private static func incomplete(_ variable: String, missing: String) -> MQTTError {
        .awsCredentials("The environment variable \(variable) is set, but \(missing) is not; set both or neither.")
    }

    private static func name(of item: AWSCredentials.Item) -> String {
        switch item {
        case .accessKeyID: Self.accessKeyID
        case .secretAccessKey: Self.secretAccessKey
        case .sessionToken: Self.sessionToken
        }
    }

    /// The error if neither variables nor files contain credentials.
    func nothingFound(_ profile: AWSProfile) -> MQTTError {
        if let variable = Self.unsupported.first(where: { self[$0] != nil }) {
            return .awsCredentials(
                "The environment variable \(variable) asks for AWS credentials in a way that is not supported; get them "
                    + "in a closure and pass it to AWSCredentialsSource.custom.")
        }
        return .awsCredentials(
            "There are no AWS credentials; set \(Self.accessKeyID) and \(Self.secretAccessKey), or add the profile "
                + "'\(profile.name)' to \(profile.credentialsFileName).")
    }
}
#endif
