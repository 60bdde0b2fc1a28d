#if Tools
/// The limit on open files. Each connection uses one.
enum FileLimit {
    /// Raises the limit as far as the system allows.
    ///
    /// - Throws: If even that is too few to run at all.
    static func raise() throws(CommandFailure) {
        guard let limit = ProcessUsage.raiseFileLimit(), limit < 32 else { return }
        throw CommandFailure(
            "The limit of \(limit) open files is too low for this command; raise it, as with 'ulimit -n 1024'.")
    }
}
#endif
