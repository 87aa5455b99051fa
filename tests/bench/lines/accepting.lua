-- Sends each push of a file once, as it stands there; `bench.pushes.stock` writes it.
local file

function init(args)
    file = assert(io.open(args[1], "rb"))
end

function request()
    local lengths = file:read("*l")
    if not lengths then error("all pushes of the file were sent") end
    local head, body = lengths:match("(%d+) (%d+)")
    local headers = {}
    for name, value in file:read(tonumber(head)):gmatch("(%S+): (.-)\r\n") do
        headers[name] = value
    end
    return wrk.format("POST", nil, headers, file:read(tonumber(body)))
end
