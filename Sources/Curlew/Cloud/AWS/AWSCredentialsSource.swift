#if AWS
import CurlewCore
import CurlewTransport
import Dispatch

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// Where AWS credentials come from. For each connection, shared files are read and closures are called again, so that
/// temporary credentials can be replaced while the program runs. Environment variables are read once, when the source is
/// created.
///
/// Needs the package trait `AWS`, which is enabled by default.
///
/// Roles, IAM Identity Center, and the metadata services of EC2 and ECS are not supported. Use another library to get
/// credentials from them, and pass a closure that calls it to ``custom(_:)``.
public struct AWSCredentialsSource: Sendable, CustomStringConvertible {
    private enum Kind: Sendable {
        case fixed(AWSCredentials)
        case environment(AWSEnvironment)
        case profile(AWSProfile)
        case standard(AWSEnvironment, AWSProfile)
        case custom(@Sendable () async throws -> AWSCredentials)
    }

    private let kind: Kind

    /// The same credentials for all connections.
    public static func fixed(_ credentials: AWSCredentials) -> Self { Self(kind: .fixed(credentials)) }

    /// The variables `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, for temporary credentials, `AWS_SESSION_TOKEN`.
    ///
    /// - Parameter environment: The variables. Default: those of the process.
    public static func environment(_ environment: [String: String] = Self.processEnvironment) -> Self {
        Self(kind: .environment(AWSEnvironment(environment)))
    }

    /// A profile with an access key in AWS's shared files, which are read for each connection.
    ///
    /// - Parameters:
    ///   - name: The name of the profile. Default: `AWS_PROFILE`, or else `default`.
    ///   - credentialsFile: The path of the credentials file, whose access key takes precedence. Default:
    ///     `AWS_SHARED_CREDENTIALS_FILE`, or else `~/.aws/credentials`.
    ///   - configFile: The path of the configuration file. Default: `AWS_CONFIG_FILE`, or else `~/.aws/config`.
    ///   - environment: The variables. Default: those of the process.
    public static func profile(
        _ name: String? = nil, credentialsFile: String? = nil, configFile: String? = nil,
        environment: [String: String] = Self.processEnvironment
    ) -> Self {
        let environment = AWSEnvironment(environment)
        return Self(
            kind: .profile(
                AWSProfile(name, credentialsFile: credentialsFile, configFile: configFile, environment)))
    }

    /// The first of ``environment(_:)`` and ``profile(_:credentialsFile:configFile:environment:)`` that has credentials.
    ///
    /// - Parameter environment: The variables. Default: those of the process.
    public static func standard(environment: [String: String] = Self.processEnvironment) -> Self {
        let environment = AWSEnvironment(environment)
        return Self(kind: .standard(environment, AWSProfile(nil, credentialsFile: nil, configFile: nil, environment)))
    }

    /// Calls `provide` for each connection.
    ///
    /// - Parameter provide: Returns the credentials. If it throws, that attempt to connect fails.
    public static func custom(_ provide: @escaping @Sendable () async throws -> AWSCredentials) -> Self {
        Self(kind: .custom(provide))
    }

    /// The variables of the process that the sources use: those named above, and `HOME`.
    public static var processEnvironment: [String: String] {
        var environment: [String: String] = [:]
        for name in AWSEnvironment.names {
            if let value = getenv(name) { environment[name] = String(keepingCString: value) }
        }
        return environment
    }

    /// Gets the credentials.
    ///
    /// - Throws: ``MQTTError`` with the code `.authenticationFailed`. The message names the variable, or the file and
    ///   the line, and contains no secret. A connection that needs the credentials fails with the same message, and the
    ///   client tries again.
    public func credentials() async throws -> AWSCredentials { try await self.load() }

    /// As ``credentials()``, with a typed error.
    func load() async throws(MQTTError) -> AWSCredentials {
        switch self.kind {
        case .fixed(let credentials):
            return try credentials.validated { "The \($0.noun)" }
        case .environment(let environment):
            guard let credentials = try environment.credentials() else {
                throw .awsCredentials(
                    "There are no AWS credentials in the environment; set \(AWSEnvironment.accessKeyID) and "
                        + "\(AWSEnvironment.secretAccessKey).")
            }
            return credentials
        case .profile(let profile):
            guard let credentials = try await Self.read(profile) else { throw profile.notFound }
            return credentials
        case .standard(let environment, let profile):
            if let credentials = try environment.credentials() { return credentials }
            if let credentials = try await Self.read(profile) { return credentials }
            throw profile.hasName ? profile.notFound : environment.nothingFound(profile)
        case .custom(let provide):
            return try await Self.ask(provide).validated { "The \($0.noun) that was provided" }
        }
    }

    /// Reads neither on event loops nor on the threads of Swift's tasks.
    private static func read(_ profile: AWSProfile) async throws(MQTTError) -> AWSCredentials? {
        let result: Result<AWSCredentials?, MQTTError> = await withCheckedContinuation { continuation in
            DispatchQueue.global(qos: .utility).async {
                continuation.resume(returning: Result { () throws(MQTTError) in try profile.credentials() })
            }
        }
        return try result.get()
    }

    private static func ask(
        _ provide: @Sendable () async throws -> AWSCredentials
    ) async throws(MQTTError) -> AWSCredentials {
        do {
            return try await provide()
        } catch let error as MQTTError {
            throw error
        } catch {
            throw MQTTError(
                .authenticationFailed, "The AWS credentials could not be provided: \(error)", cause: error)
        }
    }

    /// The kind of source, without secrets.
    public var description: String {
        switch self.kind {
        case .fixed(let credentials): credentials.description
        case .environment: "AWS credentials from the environment"
        case .profile(let profile): "AWS profile '\(profile.name.printable)'"
        case .standard(_, let profile): "AWS credentials from the environment or profile '\(profile.name.printable)'"
        case .custom: "AWS credentials from a provider, for each connection"
        }
    }
}
#endif
