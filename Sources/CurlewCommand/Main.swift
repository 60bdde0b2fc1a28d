#if Tools
import ArgumentParser
import CurlewTransport

/// Where the process begins: parses, runs, and turns whatever goes wrong into one sentence and an exit code.
@main
struct CurlewCommand {
    static func main() async {
        ignoreBrokenPipes()
        var invocation: Invocation?
        do {
            let called = try Invocation(
                processArguments, variable: environmentVariable,
                names: environmentVariables.map { String($0.prefix { $0 != "=" }) },
                readFile: Self.text(ofFile:))
            invocation = called
            for warning in called.warnings { Diagnostics.say(warning) }
            Self.chooseEventLoops(for: called.arguments)
            var command = try Self.parse(called.arguments)
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let failure as Failure {
            if let message = failure.message { Diagnostics.say(message) }
            exitProcess(failure.exitCode)
        } catch {
            Self.leave(error, invocation)
        }
    }

    /// A client has one connection, and so needs one loop.
    private static func chooseEventLoops(for arguments: [String]) {
        let subcommand = arguments.first.flatMap(Subcommand.init(rawValue:))
        if let subcommand, Subcommand.clients.contains(subcommand) {
            EventLoops.keepToOne()
        } else {
            EventLoops.keepToOwnCores()
        }
    }

    /// Parses the arguments of a subcommand with its own options alone, which is faster than through the root command. That one words
    /// errors and help, for it knows how the subcommand is called.
    private static func parse(_ arguments: [String]) throws -> any ParsableCommand {
        let subcommand = RootCommand.configuration.subcommands.first {
            $0.configuration.commandName == arguments.first
        }
        if let subcommand, subcommand.configuration.subcommands.isEmpty,
            let command = try? subcommand.parseAsRoot(Array(arguments.dropFirst())),
            type(of: command) == subcommand
        {
            return command
        }
        return try RootCommand.parseAsRoot(arguments)
    }

    private static func text(ofFile path: String) throws -> String? {
        do throws(SystemError) { return try textOfFile(path) } catch {
            throw Failure("The file of options '\(path)' cannot be read: \(error).")
        }
    }

    /// Ends the process as the parser wants it: with the help that was asked for, or with what is wrong with the arguments.
    private static func leave(_ error: any Error, _ invocation: Invocation?) -> Never {
        if RootCommand.exitCode(for: error).isSuccess { RootCommand.exit(withError: error) }
        let message = RootCommand.message(for: error)
        Diagnostics.say(usage: invocation?.explained(message) ?? message)
        exitProcess(Failure.general)
    }
}
#else
/// The command needs the package trait `Tools`; without it, this is all there is.
@main
struct CurlewCommand {
    static func main() { print("This curlew was built without the package trait Tools, and can do nothing.") }
}
#endif
