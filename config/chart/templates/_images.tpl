{{/* An image of a role: with the user's registry, and by digest where one is given. */}}
{{- define "genkan.image" -}}
{{- $image := index .root.Values.images .role -}}
{{- $name := $image.repository -}}
{{- if .root.Values.registry -}}
{{- $name = printf "%s/%s" .root.Values.registry (base $image.repository) -}}
{{- end -}}
{{- if $image.digest -}}
{{ $name }}@{{ $image.digest }}
{{- else -}}
{{ $name }}:{{ $image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end -}}
