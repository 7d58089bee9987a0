# frozen_string_literal: true

# The standard library's `Logger` as Lambda changes it: what goes to standard output or error, or
# nowhere in particular, is written as one message with the request's id. Loaded with `Logger` only.

module Lampejo
  # `I, [time #pid]  INFO request id -- progname: message`
  class TextFormatter < ::Logger::Formatter
    FORM = "%s, [%s #%d] %5s %s -- %s: %s\n"

    def call(severity, time, progname, message)
      format(FORM, severity[0], format_datetime(time), Process.pid, severity,
             Logs.request_id, progname, msg2str(message))
    end
  end

  # One JSON object a message.
  class JsonFormatter < ::Logger::Formatter
    def call(severity, time, progname, message)
      record = {
        timestamp: time.getutc.strftime('%Y-%m-%dT%H:%M:%S.%6NZ'),
        level: severity,
        message: message.is_a?(Exception) ? message.message : msg2str(message),
        requestId: Logs.request_id
      }
      record[:logger] = progname.to_s unless progname.to_s.empty?
      record.update(of_error(message)) if message.is_a?(Exception)
      JSON.generate(record.compact.transform_values { |value| Logs.utf8(value) }) << "\n"
    end

    private

    def of_error(error)
      trace = error.backtrace || []
      file, line, method = trace.first&.match(/\A(.+):(\d+):in [`'](.+)'\z/)&.captures
      {
        errorType: error.class.to_s,
        errorMessage: error.message,
        stackTrace: trace,
        location: file && "#{file}:#{method}:#{line}"
      }
    end
  end

  # Goes before `Logger`'s own methods.
  module LoggerPatch
    def initialize(device = nil, *rotation, **settings)
      return super unless device.nil? || device == $stdout || device == $stderr

      # A level that the function gives goes before the configured one.
      level = ENV.fetch('AWS_LAMBDA_LOG_LEVEL', 'INFO').sub('TRACE', 'DEBUG')
      settings = { level: level }.merge(settings) if Logs::JSON_FORMAT
      settings[:formatter] ||= Logs::JSON_FORMAT ? JsonFormatter.new : TextFormatter.new
      super(Logs, *rotation, **settings)
    end
  end
end

Logger.prepend(Lampejo::LoggerPatch) unless Logger < Lampejo::LoggerPatch
