apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: { name: static, namespace: metallb-system }
spec:
  addresses:
    - {{ .Values.network.ip }}/32
    - 192.168.1.0/28
