#if AWS
import CurlewCore
import CurlewTransport

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// A profile in AWS's shared files.
struct AWSProfile: Sendable {
    let name: String
    /// Whether somebody chose the name.
    let hasName: Bool
    /// A path, and whether the file must exist; `nil` if there is no home directory for the usual path.
    private let credentialsFile: Location?
    private let configFile: Location?

    private struct Location: Sendable {
        let path: String
        let isRequired: Bool
    }

    init(_ name: String?, credentialsFile: String?, configFile: String?, _ environment: AWSEnvironment) {
        let name = name ?? environment[AWSEnvironment.profile]
        self.name = name ?? "default"
        self.hasName = name != nil
        func location(_ path: String?, _ variable: String, _ usual: String) -> Location? {
            guard let path = path ?? environment[variable] else {
                return environment[AWSEnvironment.home].map { Location(path: "\($0)/\(usual)", isRequired: false) }
            }
            guard path.hasPrefix("~/"), let home = environment[AWSEnvironment.home] else {
                return Location(path: path, isRequired: true)
            }
            return Location(path: home + path.dropFirst(), isRequired: true)
        }
        self.credentialsFile = location(credentialsFile, AWSEnvironment.credentialsFile, ".aws/credentials")
        self.configFile = location(configFile, AWSEnvironment.configFile, ".aws/config")
    }

    /// Reads the files, which blocks.
    ///
    /// - Returns: `nil` if no file has the profile.
    func credentials() throws(MQTTError) -> AWSCredentials? {
        let files = [
            try Self.read(self.credentialsFile, .credentials), try Self.read(self.configFile, .config),
        ].compactMap(\.self)
        let sections = files.compactMap { file in file.profiles[self.name].map { (file: file, section: $0) } }
        guard !sections.isEmpty else {
            for file in files { try file.refuseMisnamed(self.name) }
            return nil
        }
        // The keys in such a profile are those that may assume the role: without it, they have other rights.
        for (file, section) in sections {
            if let line = section[.roleARN]?.line { throw self.notSupported(.roleARN, file, line) }
        }
        for (file, section) in sections {
            if let credentials = try self.credentials(file, section) { return credentials }
        }
        for (file, section) in sections {
            for setting in AWSSharedFile.Setting.otherSources {
                if let line = section[setting]?.line { throw self.notSupported(setting, file, line) }
            }
        }
        throw .awsCredentials(
            "The AWS profile '\(self.name)' has no access key; add aws_access_key_id and aws_secret_access_key to it in "
                + "\(self.credentialsFileName).")
    }

    /// The access key in one section; `nil` if it has none. Keys of two files are never combined.
    private func credentials(
        _ file: AWSSharedFile, _ section: AWSSharedFile.Section
    ) throws(MQTTError) -> AWSCredentials? {
        let found = [AWSSharedFile.Setting.accessKeyID, .secretAccessKey, .sessionToken].filter { section[$0] != nil }
        guard let first = found.first, let line = section[first]?.line else { return nil }
        func missing(_ setting: AWSSharedFile.Setting) -> MQTTError {
            .awsCredentials(
                "\(file.subject(line)): the profile '\(self.name)' has \(first.rawValue), but no \(setting.rawValue); "
                    + "add it.")
        }
        guard let accessKeyID = section[.accessKeyID] else { throw missing(.accessKeyID) }
        guard let secret = section[.secretAccessKey] else { throw missing(.secretAccessKey) }
        let token = section[.sessionToken]
        let credentials = AWSCredentials(
            accessKeyID: accessKeyID.value, secretAccessKey: secret.value, sessionToken: token?.value)
        return try credentials.validated { item in
            let (property, setting): (AWSSharedFile.Property?, AWSSharedFile.Setting) =
                switch item {
                case .accessKeyID: (accessKeyID, .accessKeyID)
                case .secretAccessKey: (secret, .secretAccessKey)
                case .sessionToken: (token, .sessionToken)
                }
            return "\(file.subject(property?.line ?? line)): \(setting.rawValue) of the profile '\(self.name)'"
        }
    }

    private func notSupported(
        _ setting: AWSSharedFile.Setting, _ file: AWSSharedFile, _ line: Int
    ) -> MQTTError {
        .awsCredentials(
            "\(file.subject(line)): the profile '\(self.name)' gets its credentials through \(setting.rawValue), which is "
                + "not supported; get them in a closure and pass it to AWSCredentialsSource.custom.")
    }

    private static func read(
        _ location: Location?, _ kind: AWSSharedFile.Kind
    ) throws(MQTTError) -> AWSSharedFile? {
        guard let location else { return nil }
        let bytes: [UInt8]
        do throws(Files.Failure) {
            bytes = try Files.read(location.path)
        } catch {
            if !location.isRequired, Self.isMissing(location.path) { return nil }
            throw MQTTError(
                .authenticationFailed, "The \(kind.noun) '\(location.path)' cannot be read: \(error.reason).",
                cause: error)
        }
        return try AWSSharedFile(bytes, path: location.path, kind)
    }

    private static func isMissing(_ path: String) -> Bool {
        path.withKeptCString { access($0, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR) }
    }

    // MARK: Errors

    /// The path of the credentials file for a sentence.
    var credentialsFileName: String { self.credentialsFile.map { "'\($0.path)'" } ?? "~/.aws/credentials" }

    /// The error if no file has the profile.
    var notFound: MQTTError {
        guard let credentialsFile = self.credentialsFile, let configFile = self.configFile else {
            if let file = self.credentialsFile ?? self.configFile {
                return .awsCredentials(
                    "'\(file.path)' does not contain the AWS profile '\(self.name)'; check its name.")
            }
            return .awsCredentials(
                "There is no AWS profile '\(self.name)', because HOME is not set; set it, or \(AWSEnvironment.credentialsFile)."
            )
        }
        return .awsCredentials(
            "Neither '\(credentialsFile.path)' nor '\(configFile.path)' has the AWS profile '\(self.name)'; check its name."
        )
    }
}
#endif
