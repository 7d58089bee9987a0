# frozen_string_literal: true

module Lampejo
  # The function's log: `puts`, and how failures are printed. A device for `Logger`, too.
  module Logs
    # A message's own newlines are written as this character, so that the server keeps it together.
    SEPARATOR = "\x1e"
    JSON_FORMAT = ENV.fetch('AWS_LAMBDA_LOG_FORMAT', '').casecmp?('json')

    @request_id = nil

    module_function

    def request_id
      @request_id
    end

    def begin_invocation(request_id)
      $_global_aws_request_id = @request_id = request_id # Libraries read it there.
    end

    # One message, whatever lines it has.
    def write(message)
      STDOUT.write(message.delete_suffix("\n").gsub("\n", SEPARATOR), "\n")
    end

    # For `Logger`, which closes its device.
    def close; end

    # A failed invocation or start.
    def failure(what, document)
      if JSON_FORMAT
        stamp = Time.now.utc.strftime('%Y-%m-%dT%H:%M:%S.%6NZ')
        record = { timestamp: stamp, level: 'ERROR', message: what, requestId: request_id }
        write(JSON.generate(record.compact.merge(document)))
      else
        write(what)
        write(JSON.pretty_generate(document))
      end
    end

    def utf8(value)
      return value.map { |each| utf8(each) } if value.is_a?(Array)

      value.to_s.encode('UTF-8', invalid: :replace, undef: :replace).scrub
    end
  end
end

STDOUT.sync = true

module Kernel
  # As Lambda has it: one message, not one for each line.
  def puts(*values)
    Lampejo::Logs.write(values.flatten.map { |value| Lampejo::Logs.utf8(value) }.join("\n"))
    nil
  end
  private :puts
end
