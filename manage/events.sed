# Lets people read the events that statuslog/events.py writes as JSON: sed -E -f manage/events.sed. What is escaped in
# them stays so, but for the lines of a stack. Other lines go through as they are.
/\{"time": "[^"]*", "service": /!b
s/\{"time": "([^"]*)", "service": "([^"]*)", "level": "([^"]*)", "logger": "[^"]*", "message": (.*)\}$/\1 \2 \3 | \4/
s/ \| "(([^"\\]|\\.)*)"/ | \1/
s/, "(request_id|trace_id|span_id|parent_id|route|method)": "[^"]*"//g
s/, "status": [0-9]+//
s/, "duration_ms": ([0-9.]+)/  \1 ms/
s/, "batch": \[([^]]*)\]/  batch \1/
/, "exception": "/{
    s/, "exception": "(.*)"$/\\n\1/
    s/\\n/\n    /g
    s/\\"/"/g
}
