# frozen_string_literal: true

module Lampejo
  # The method that `Handler` names: `file.method` or `file.Module::Class.method`.
  class Handler
    FORM = 'must be of form FILENAME.METHOD or FILENAME.CLASS.METHOD where FILENAME corresponds with ' \
           'an existing Ruby source file FILENAME.rb, CLASS is an optional module/class namespace ' \
           'and METHOD is a callable method. If using CLASS, METHOD must be a class-level method.'

    attr_reader :file

    def initialize(name)
      parts = name.split('.')
      raise ArgumentError, "Invalid handler #{parts}, #{FORM}" unless parts.size.between?(2, 3)

      @file = parts.first
      @namespace = parts[1] if parts.size == 3
      @method = parts.last
    end

    def load
      require @file
    end

    # A class or method that is missing is known now and not before, as Lambda has it.
    def call(event, context)
      receiver = @namespace ? Kernel.const_get(@namespace) : Object.new
      receiver.__send__(@method, event: event, context: context)
    end
  end
end
